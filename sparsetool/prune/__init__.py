"""Prune a Keras model while it trains, and keep the result in a small checkpoint.

Schedules, structures and masks need numpy only; the rest brings in Keras at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sparsetool.prune.errors import PruningError
from sparsetool.prune.masks import global_masks, global_zeros_asked, keep_mask, zeros_asked
from sparsetool.prune.rules import Rule
from sparsetool.prune.schedule_check import check_schedule, schedule_in_steps
from sparsetool.prune.schedules import CallableSchedule, ConstantSparsity, PolynomialDecay, Schedule
from sparsetool.prune.structures import ELEMENT, Block, Channels, NOfM, Structure

if TYPE_CHECKING:
    from sparsetool.prune.batch_norm import recalibrate_batch_norm
    from sparsetool.prune.batches import ShuffledBatches, fit_batches
    from sparsetool.prune.callback import PruningCallback
    from sparsetool.prune.checkpoint import load_checkpoint, save_checkpoint
    from sparsetool.prune.policy import Chosen, Selection, Skipped, select_variables
    from sparsetool.prune.pruner import Pruner, VariableSparsity
    from sparsetool.prune.recorder import PruningRecorder
    from sparsetool.prune.state import (
        TrainingStateCallback,
        load_training_state,
        save_training_state,
        saved_steps,
    )
    from sparsetool.prune.target_rules import for_target
    from sparsetool.prune.training import TrainingSettings, accuracy, make_deterministic, train

_NEEDS_KERAS = {
    "Chosen": "policy",
    "Pruner": "pruner",
    "PruningCallback": "callback",
    "PruningRecorder": "recorder",
    "Selection": "policy",
    "ShuffledBatches": "batches",
    "Skipped": "policy",
    "TrainingSettings": "training",
    "TrainingStateCallback": "state",
    "VariableSparsity": "pruner",
    "accuracy": "training",
    "fit_batches": "batches",
    "for_target": "target_rules",
    "load_checkpoint": "checkpoint",
    "load_training_state": "state",
    "make_deterministic": "training",
    "recalibrate_batch_norm": "batch_norm",
    "save_checkpoint": "checkpoint",
    "save_training_state": "state",
    "saved_steps": "state",
    "select_variables": "policy",
    "train": "training",
}

__all__ = [
    "ELEMENT",
    "Block",
    "CallableSchedule",
    "Channels",
    "Chosen",
    "ConstantSparsity",
    "NOfM",
    "PolynomialDecay",
    "Pruner",
    "PruningCallback",
    "PruningError",
    "PruningRecorder",
    "Rule",
    "Schedule",
    "Selection",
    "ShuffledBatches",
    "Skipped",
    "Structure",
    "TrainingSettings",
    "TrainingStateCallback",
    "VariableSparsity",
    "accuracy",
    "check_schedule",
    "fit_batches",
    "for_target",
    "global_masks",
    "global_zeros_asked",
    "keep_mask",
    "load_checkpoint",
    "load_training_state",
    "make_deterministic",
    "recalibrate_batch_norm",
    "save_checkpoint",
    "save_training_state",
    "saved_steps",
    "schedule_in_steps",
    "select_variables",
    "train",
    "zeros_asked",
]


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_KERAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NEEDS_KERAS[name]}"), name)
