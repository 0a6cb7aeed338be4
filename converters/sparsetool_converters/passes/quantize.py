"""Post-training quantization by litert-quantizer, in a process of its own, mended for pruned weights.

The quantizer runs the model on calibration data, prints as it goes and knows nothing of sparsity, so it sees a
dense model only, its printing is kept away, and what it does to channels that pruning emptied is put right after.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import CalibrationDataError, MissingExtraError, ModelFormatError
from sparsetool_converters.model import Model, Signature
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.kept_zeros import quantized_weights
from sparsetool_converters.passes.mend_scales import (
    hybrid_sites,
    mend_empty_channels,
    quantize_hybrid_inputs_asymmetrically,
)
from sparsetool_converters.passes.quantize_layers import LayerRecipe, check_layer, quantizer_rules
from sparsetool_converters.passes.quantizer_form import QuantizerForm, primary_signature
from sparsetool_converters.passes.recipes import Quantization as Quantization
from sparsetool_converters.passes.recipes import QuantizationRecipe, recipe_named
from sparsetool_converters.samples import Samples, fit_samples
from sparsetool_converters.weights import weight_sites


def check_calibration(mode: str, layers: Sequence[LayerRecipe], calibration: Any) -> QuantizationRecipe:
    """The recipe that `mode` names, once it is known that every recipe has the data it needs.

    Raises:
        UsageError: a recipe that does not exist or is not offered.
        CalibrationDataError: a recipe takes ranges from samples, and there are none.
    """
    recipe = recipe_named(mode)
    for needed in [recipe, *map(check_layer, layers)]:
        if needed.needs_calibration and calibration is None:
            raise CalibrationDataError(
                f"{needed.name} needs calibration data: samples of the model's inputs, in .npz, .npy, a folder of .npy "
                f"files, or from a function"
            )
    return recipe


@dataclass(frozen=True)
class Quantize:
    """Quantize a float model.

    Attributes:
        mode: name of a recipe, see `recipes.recipe_named`.
        calibration: samples for recipes that need them, as `samples.Samples` describes; unused otherwise.
        on_progress: called with calibrated and all samples.
        layers: recipes of single layers; of several that match one, the last counts.
        allow_zero_loss: whether a pruned weight may lose zeros.
        patience_s: seconds without a sign of the quantizer after which it is stopped.

    Raises (when called):
        MissingExtraError: litert-quantizer is not installed.
        UsageError: no such recipe, or a layer's pattern matches none.
        CalibrationDataError: a recipe needs samples and there are none, or they do not fit the model's inputs.
        ModelFormatError: the quantizer could not quantize the model.
        ZerosLostError: a pruned weight lost zeros.
    """

    mode: str
    calibration: Samples | None = None
    on_progress: Callable[[int, int], None] | None = None
    layers: tuple[LayerRecipe, ...] = ()
    allow_zero_loss: bool = False
    patience_s: float = 1800.0
    name: str = "quantize"

    def __call__(self, model: Model) -> Sequence[Change]:
        recipe = check_calibration(self.mode, self.layers, self.calibration)
        if find_spec("litert_quantizer") is None:
            raise MissingExtraError("litert-quantizer", "quantize")
        weights = [site.tensor.type_name for site in weight_sites(model)]
        if weights and not {"FLOAT32", "FLOAT16"} & set(weights):
            return []  # integers already, and the quantizer breaks some such models
        form = QuantizerForm.of(model, widen=self._makes_integers())
        float_model = form.model
        rules = quantizer_rules(float_model, recipe, self.layers)
        hybrid_before = {site.tensor.name for site in hybrid_sites(float_model)}
        quantized = self._run(float_model, rules)
        if _types(quantized) == _types(float_model):
            return []
        mended = mend_empty_channels(quantized, float_model)
        quantize_hybrid_inputs_asymmetrically(quantized, hybrid_before)
        changed = quantized_weights(form.stored, quantized, self.mode, allow_loss=self.allow_zero_loss)
        form.undo(quantized, model)
        types = _types(model)
        vars(model).update(vars(quantized))
        return [*changed, *mended] or [_of_activations(self.mode, types, _types(model))]

    def _makes_integers(self) -> bool:
        """Whether any recipe stores weights in less than float16."""
        return any(r.weight_bits < 16 for r in self._recipes())

    def _recipes(self) -> list[QuantizationRecipe]:
        return [recipe_named(self.mode), *map(check_layer, self.layers)]

    def _run(self, model: Model, rules: list[dict[str, Any]]) -> Model:
        with tempfile.TemporaryDirectory(prefix="sparsetool-quantize-") as folder:
            source, destination = Path(folder, "float.tflite"), Path(folder, "quantized.tflite")
            model.save(source)
            request: dict[str, Any] = {
                "source": str(source),
                "destination": str(destination),
                "rules": rules,
            }
            if self.calibration is not None and self._calibrates():
                names, arrays = _calibration(model, self.calibration)
                np.savez(Path(folder, "samples.npz"), **{str(i): a for i, a in enumerate(arrays)})
                request |= {"samples": str(Path(folder, "samples.npz")), "inputs": names}
                request["signature"] = _text(_primary(model).fields.signatureKey)
            asked = Path(folder, "request.json")
            asked.write_text(json.dumps(request))
            self._wait(asked)
            return Model.from_bytes(destination.read_bytes(), where="the quantizer's output")

    def _calibrates(self) -> bool:
        return any(r.needs_calibration for r in self._recipes())

    def _wait(self, request: Path) -> None:
        command = [sys.executable, "-m", "sparsetool_converters.passes.quantize_worker", str(request)]
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as noise,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=noise, text=True
            ) as worker,
        ):
            assert worker.stdout is not None
            impatient = _Impatience(worker, self.patience_s)
            try:
                for line in worker.stdout:
                    impatient.calm()
                    done, total = json.loads(line)
                    if self.on_progress is not None:
                        self.on_progress(done, total)
                code = worker.wait()
            except BaseException:
                worker.kill()
                raise
            finally:
                impatient.stop()
            if code != 0:
                raise ModelFormatError("model", f"could not be quantized to {self.mode}: {_cause(code, noise)}")


class _Impatience:
    """Ends a process that gives no sign of itself for too long."""

    def __init__(self, worker: "subprocess.Popen[str]", patience_s: float) -> None:
        self._worker, self._patience_s = worker, patience_s
        self.calm()

    def calm(self) -> None:
        """A sign has come: wait anew."""
        self.stop()
        self._timer = threading.Timer(self._patience_s, self._worker.kill)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if hasattr(self, "_timer"):
            self._timer.cancel()


def _cause(code: int, noise: Any) -> str:
    """The quantizer's last line, or how its process ended."""
    noise.seek(0)
    said = [line.strip() for line in noise if line.strip()]
    if code < 0:
        return f"the quantizer was ended by signal {-code}"
    return said[-1] if said else f"the quantizer ended with exit code {code}"


def _primary(model: Model) -> Signature:
    return (model.signatures or [primary_signature(model)])[0]


def _calibration(model: Model, samples: Samples) -> tuple[list[str], tuple[Any, ...]]:
    """Names of the primary signature's inputs, and their samples [n, *shape]."""
    entries = _primary(model).inputs
    infos = [entry.tensor.info(_text(entry.fields.name)) for entry in entries]
    return [_text(entry.fields.name) for entry in entries], fit_samples(samples, infos)


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _types(model: Model) -> list[list[int]]:
    """Element types of all tensors, subgraph by subgraph."""
    return [sorted(t.type for t in graph.tensors) for graph in model.subgraphs]


def _of_activations(mode: str, before: list[list[int]], after: list[list[int]]) -> Change:
    floats = [sum(graph.count(schema.TensorType.FLOAT32) for graph in types) for types in (before, after)]
    what = f"{mode}: no weights, float32 tensors {floats[0]:,} to {floats[1]:,}"
    return Change(tensor="", what=what, bytes_before=0, bytes_after=0)
