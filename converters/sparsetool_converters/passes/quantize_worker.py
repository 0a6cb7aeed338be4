"""The child of `quantize`: runs litert-quantizer on files, and tells its parent how far it is.

Run as `python -m sparsetool_converters.passes.quantize_worker REQUEST`, REQUEST being JSON. Each line on stdout is
`[calibrated, all]`; whatever the quantizer prints goes to stderr.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np


def main() -> None:
    request = json.loads(sys.argv[1])
    progress = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # prints of the quantizer and of native code must not mix with the progress
    from litert_quantizer import quantizer

    model, recipe = bytearray(Path(request["source"]).read_bytes()), _recipe(request["mode"])
    worker = quantizer.Quantizer(model, recipe)
    calibration = None
    if "samples" in request:
        with np.load(request["samples"]) as archive:
            arrays = [archive[str(i)] for i in range(len(request["inputs"]))]
        dataset = {request["signature"]: _Dataset(request["inputs"], arrays, progress)}
        calibration = _calibrate(model, recipe, dataset)
    result = worker.quantize(calibration, enable_progress_bar=False, enable_progress_report=False)
    if result.quantized_model is None:
        raise SystemExit("the quantizer returned no model")
    Path(request["destination"]).write_bytes(result.quantized_model)


def _calibrate(model: bytearray, recipe: Any, dataset: Any) -> Any:
    """Ranges over all samples; the quantizer's own way averages them, which cuts off what few samples reach."""
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    ranges = calibrator.Calibrator(model, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    ranges.calibrate(dataset, manager)
    return ranges.get_model_qsvs()


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


def _recipe(mode: str) -> Any:
    from litert_quantizer import algorithm_manager, qtyping, recipe, recipe_manager

    if mode == "dynamic":
        return recipe.dynamic_wi8_afp32()
    if mode == "int8":
        return recipe.static_wi8_ai8()
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
