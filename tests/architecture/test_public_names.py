"""The public names of both packages: a change here is a change for users."""

import importlib

import pytest

PUBLIC_NAMES: dict[str, list[str]] = {
    "sparsetool": [
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
    ],
    "sparsetool_converters": [
        "LITERT",
        "PORTABLE",
        "Canonicalize",
        "Change",
        "Choice",
        "Compact",
        "DeadChannels",
        "Densify",
        "Encode",
        "EncodeSparse",
        "Finding",
        "Keep",
        "LayerRecipe",
        "Model",
        "Objective",
        "Pass",
        "Plan",
        "Quantization",
        "Quantize",
        "SparseToolError",
        "Target",
        "compress",
        "dead_channels",
        "decompress",
        "lint",
        "make_plan",
        "pack",
        "target_named",
        "unpack",
    ],
}


@pytest.mark.parametrize("package", PUBLIC_NAMES)
def test_public_names_are_these_and_no_others(package: str) -> None:
    assert sorted(importlib.import_module(package).__all__) == sorted(PUBLIC_NAMES[package])


@pytest.mark.keras
@pytest.mark.parametrize("package", PUBLIC_NAMES)
def test_every_public_name_can_be_had(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
