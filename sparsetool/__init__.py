"""Turn a trained network into the smallest .tflite file that still runs, and runs right.

Names are loaded when they are first used, so that importing this package brings in neither Keras nor TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsetool.budget import Budget, Budgets
    from sparsetool.pipeline.batch import compress_all
    from sparsetool.pipeline.cache import Cache
    from sparsetool.pipeline.compress import compress
    from sparsetool.pipeline.conversion import Settings
    from sparsetool.pipeline.densify import densify
    from sparsetool.pipeline.planning import plan_model
    from sparsetool.pipeline.recipe_run import run_recipe
    from sparsetool.pipeline.request import Request
    from sparsetool.pipeline.size_gate import SizeGate
    from sparsetool.pipeline.unpack import unpack
    from sparsetool.pipeline.verify_pair import verify_pair
    from sparsetool.prune import (
        Block,
        CallableSchedule,
        Channels,
        ConstantSparsity,
        NOfM,
        PolynomialDecay,
        Pruner,
        Rule,
        for_target,
        load_training_state,
        recalibrate_batch_norm,
        save_checkpoint,
        save_training_state,
    )
    from sparsetool_converters.costs import Objective
    from sparsetool_converters.errors import SparseToolError
    from sparsetool_converters.passes.quantize_layers import LayerRecipe
    from sparsetool_converters.passes.recipes import Quantization

__version__ = "0.1.0"

_HOMES = {
    "Block": "sparsetool.prune",
    "Budget": "sparsetool.budget",
    "Budgets": "sparsetool.budget",
    "Cache": "sparsetool.pipeline.cache",
    "CallableSchedule": "sparsetool.prune",
    "Channels": "sparsetool.prune",
    "ConstantSparsity": "sparsetool.prune",
    "LayerRecipe": "sparsetool_converters.passes.quantize_layers",
    "NOfM": "sparsetool.prune",
    "Objective": "sparsetool_converters.costs",
    "PolynomialDecay": "sparsetool.prune",
    "Pruner": "sparsetool.prune",
    "Quantization": "sparsetool_converters.passes.recipes",
    "Request": "sparsetool.pipeline.request",
    "Rule": "sparsetool.prune",
    "Settings": "sparsetool.pipeline.conversion",
    "SizeGate": "sparsetool.pipeline.size_gate",
    "SparseToolError": "sparsetool_converters.errors",
    "compress": "sparsetool.pipeline.compress",
    "compress_all": "sparsetool.pipeline.batch",
    "densify": "sparsetool.pipeline.densify",
    "for_target": "sparsetool.prune",
    "load_training_state": "sparsetool.prune",
    "plan_model": "sparsetool.pipeline.planning",
    "recalibrate_batch_norm": "sparsetool.prune",
    "run_recipe": "sparsetool.pipeline.recipe_run",
    "save_checkpoint": "sparsetool.prune",
    "save_training_state": "sparsetool.prune",
    "unpack": "sparsetool.pipeline.unpack",
    "verify_pair": "sparsetool.pipeline.verify_pair",
}

__all__ = [
    "Block",
    "Budget",
    "Budgets",
    "Cache",
    "CallableSchedule",
    "Channels",
    "ConstantSparsity",
    "LayerRecipe",
    "NOfM",
    "Objective",
    "PolynomialDecay",
    "Pruner",
    "Quantization",
    "Request",
    "Rule",
    "Settings",
    "SizeGate",
    "SparseToolError",
    "compress",
    "compress_all",
    "densify",
    "for_target",
    "load_training_state",
    "plan_model",
    "recalibrate_batch_norm",
    "run_recipe",
    "save_checkpoint",
    "save_training_state",
    "unpack",
    "verify_pair",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
