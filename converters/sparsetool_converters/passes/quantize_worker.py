"""The child of `quantize`: runs litert-quantizer on files, and tells its parent how far it is.

Run as `python -m sparsetool_converters.passes.quantize_worker REQUEST`, REQUEST being a JSON file. Each line on
stdout is `[calibrated, all]`; whatever the quantizer prints goes to stderr.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    progress = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # prints of the quantizer and of native code must not mix with the progress
    from litert_quantizer import quantizer

    model = bytearray(Path(request["source"]).read_bytes())
    rules = [_entries(rule, i) for i, rule in enumerate(request["rules"])]
    recipe = [entry for entries in rules for entry in entries]
    worker = quantizer.Quantizer(model, recipe)
    calibration = None
    if "samples" in request:
        with np.load(request["samples"]) as archive:
            arrays = [archive[str(i)] for i in range(len(request["inputs"]))]
        dataset = {request["signature"]: _Dataset(request["inputs"], arrays, progress)}
        # What one operator measured of a tensor hides what the next one would: algorithms measure for themselves.
        plain = [
            e for rule, entries in zip(request["rules"], rules, strict=True) if not rule["algorithm"] for e in entries
        ]
        single = [e for e in recipe if e not in plain]
        calibration = _calibrate(model, plain, dataset)
        for tensor, found in (_calibrate(model, single, dataset) if single else {}).items():
            calibration[tensor] = _merged(calibration.get(tensor), found)
    result = worker.quantize(calibration, enable_progress_bar=False, enable_progress_report=False)
    if result.quantized_model is None:
        raise SystemExit("the quantizer returned no model")
    Path(request["destination"]).write_bytes(result.quantized_model)


def _calibrate(model: bytearray, recipe: Any, dataset: Any) -> Any:
    """Ranges over all samples; the quantizer's own way averages them, which cuts off what few samples reach."""
    from litert_quantizer import calibrator, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    ranges = calibrator.Calibrator(model, num_threads=1, qsv_update_func=_merged)
    ranges.calibrate(dataset, manager)
    return ranges.get_model_qsvs()


def _merged(so_far: Any, new: Any) -> Any:
    """Statistics of a tensor over one sample more: the range, and what single algorithms gather beside it."""
    from litert_quantizer.utils import qsv_utils

    if not so_far:
        return new
    merged = {**new, **so_far, **qsv_utils.min_max_update(so_far, new)}
    for key, update in (
        ("hessian", qsv_utils.gptq_and_moving_average_update),
        ("mu2", qsv_utils.oscar_and_moving_average_update),
    ):
        if key in so_far and key in new:
            averaged = update(so_far, new)
            merged |= {name: averaged[name] for name in (key, "num_samples")}
    return merged


class _Dataset:
    """Calibration samples one by one; the quantizer asks for the length and iterates more than once."""

    def __init__(self, names: list[str], arrays: list[Any], progress: IO[str]) -> None:
        self._names, self._arrays, self._progress = names, arrays, progress

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(len(self)):
            yield dict(zip(self._names, (a[i] for a in self._arrays), strict=True))
            print(json.dumps([i + 1, len(self)]), file=self._progress)


def _entries(rule: dict[str, str], position: int) -> list[dict[str, Any]]:
    """A rule as the quantizer's entries.

    Entries with the same expression replace one another in the place of the first, so each rule's is made its own by
    a comment.
    """
    from litert_quantizer import algorithm_manager

    found = [{"op_config": {}, **entry} for entry in _recipe(rule["recipe"])]
    if rule["algorithm"]:
        key = algorithm_manager.AlgorithmName[rule["algorithm"].upper()]
        found = [{**entry, "algorithm_key": key} for entry in found]
    found += [_by_tensor(entry) for entry in found if entry["operation"] == "*" and _is_static(entry)]
    found += [_untouched(operation) for operation in rule["untouched"]]
    return [{**entry, "regex": f"{rule['regex']}(?#{position})"} for entry in found]


def _is_static(entry: dict[str, Any]) -> bool:
    return "activation_tensor_config" in entry["op_config"]


def _by_tensor(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry for BATCH_MATMUL, whose integer kernels read one scale only and answer zeros if there are more."""
    config = entry["op_config"]
    weights = {**config["weight_tensor_config"], "granularity": "TENSORWISE"}
    config = {**config, "weight_tensor_config": weights}
    return {**entry, "operation": "BATCH_MATMUL", "algorithm_key": "min_max_uniform_quantize", "op_config": config}


def _untouched(operation: str) -> dict[str, Any]:
    return {"operation": operation, "algorithm_key": "no_quantize", "op_config": {}}


def _recipe(name: str) -> Any:
    from litert_quantizer import algorithm_manager, qtyping, recipe, recipe_manager
    from litert_quantizer.utils import recipe_utils

    if name == "none":
        return [_untouched("*")]
    if name == "dynamic":
        return recipe.dynamic_wi8_afp32()
    if name == "int8":
        return recipe.static_wi8_ai8()
    if name != "float16":
        return recipe_utils.resolve_recipe(name)
    manager = recipe_manager.RecipeManager()
    manager.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
    )
    return manager.get_quantization_recipe()


if __name__ == "__main__":
    main()
