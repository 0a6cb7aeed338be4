"""Edits of a model in place, each an ordinary value that can be called."""

from sparsetool_converters.passes.canonicalize import Canonicalize
from sparsetool_converters.passes.change import Change, Pass
from sparsetool_converters.passes.compact import Compact, DeadChannels, dead_channels
from sparsetool_converters.passes.densify import Densify
from sparsetool_converters.passes.encode import EncodeSparse

__all__ = [
    "Canonicalize",
    "Change",
    "Compact",
    "DeadChannels",
    "Densify",
    "EncodeSparse",
    "Pass",
    "dead_channels",
]
