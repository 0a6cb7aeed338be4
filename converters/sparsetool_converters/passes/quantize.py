"""Post-training quantization by litert-quantizer, in a process of its own, mended for pruned weights.

The quantizer runs the model on calibration data, prints as it goes and knows nothing of sparsity, so it sees a
dense model only, its printing is kept away, and what it does to channels that pruning emptied is put right after.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import CalibrationDataError, MissingExtraError, ModelFormatError
from sparsetool_converters.model import Model, Signature, SignatureEntry
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.mend_scales import (
    mend_empty_channels,
    quantize_hybrid_inputs_asymmetrically,
)
from sparsetool_converters.samples import Samples, fit_samples
from sparsetool_converters.weights import weight_sites

PRIMARY_SIGNATURE = "serving_default"  # the name TensorFlow's exporters use


class Quantization(StrEnum):
    """What becomes of float weights and activations."""

    NONE = "none"
    """Nothing."""
    FLOAT16 = "float16"
    """Weights in float16, computed in float32."""
    DYNAMIC = "dynamic"
    """Weights in int8 per channel, activations quantized on the fly, inputs and outputs float."""
    INT8 = "int8"
    """Weights and activations in int8, ranges from calibration data; inputs and outputs are int8, too."""


@dataclass(frozen=True)
class Quantize:
    """Quantize a float model.

    Attributes:
        mode: any but NONE.
        calibration: samples for INT8, as `samples.Samples` describes; unused otherwise.
        on_progress: called with calibrated and all samples.

    Raises (when called):
        MissingExtraError: litert-quantizer is not installed.
        CalibrationDataError: INT8 without samples, or samples that do not fit the model's inputs.
        ModelFormatError: the quantizer could not quantize the model.
    """

    mode: Quantization
    calibration: Samples | None = None
    on_progress: Callable[[int, int], None] | None = None
    name: str = "quantize"

    def __call__(self, model: Model) -> Sequence[Change]:
        if find_spec("litert_quantizer") is None:
            raise MissingExtraError("litert-quantizer", "quantize")
        if self.mode is Quantization.INT8 and self.calibration is None:
            raise CalibrationDataError("int8 needs calibration data: samples of the model's input, in .npz or .npy")
        before = {site.tensor.name: site.tensor for site in weight_sites(model)}
        signatures = model.signatures
        # The quantizer takes out buffers without telling the metadata, which names them by index.
        metadata = {"metadata": model.metadata, "metadata_buffers": model.metadata_buffers}
        vars(model).update(dict.fromkeys(metadata))
        if not signatures:
            model.signatures = [_primary_signature(model)]  # it addresses inputs by signature
        try:
            quantized = self._run(model)
        finally:
            model.signatures = signatures
            vars(model).update(metadata)
        if not signatures:
            quantized.signatures = signatures
        vars(quantized).update(metadata)
        mended = mend_empty_channels(quantized, model)
        if self.mode is Quantization.DYNAMIC:
            quantize_hybrid_inputs_asymmetrically(quantized)
        vars(model).update(vars(quantized))
        return [*_changes(before, model, self.mode), *mended]

    def _run(self, model: Model) -> Model:
        with tempfile.TemporaryDirectory(prefix="sparsetool-quantize-") as folder:
            source, destination = Path(folder, "float.tflite"), Path(folder, "quantized.tflite")
            model.save(source)
            request: dict[str, Any] = {
                "source": str(source),
                "destination": str(destination),
                "mode": self.mode,
            }
            if self.mode is Quantization.INT8 and self.calibration is not None:
                names, arrays = _calibration(model, self.calibration)
                np.savez(Path(folder, "samples.npz"), **{str(i): a for i, a in enumerate(arrays)})
                request |= {"samples": str(Path(folder, "samples.npz")), "inputs": names}
                request["signature"] = _text(_primary(model).fields.signatureKey)
            self._wait(request)
            return Model.from_bytes(destination.read_bytes(), where="the quantizer's output")

    def _wait(self, request: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "sparsetool_converters.passes.quantize_worker", json.dumps(request)]
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as noise,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True) as worker,
        ):
            assert worker.stdout is not None
            try:
                for line in worker.stdout:
                    done, total = json.loads(line)
                    if self.on_progress is not None:
                        self.on_progress(done, total)
            except BaseException:
                worker.kill()
                raise
            if worker.wait() != 0:
                noise.seek(0)
                said = [line.strip() for line in noise if line.strip()]
                raise ModelFormatError(
                    "model",
                    f"could not be quantized to {self.mode}: {said[-1] if said else 'the quantizer crashed'}",
                )


def _primary(model: Model) -> Signature:
    return (model.signatures or [_primary_signature(model)])[0]


def _primary_signature(model: Model) -> Signature:
    graph = model.subgraphs[0]

    def entries(tensors: Sequence[Any]) -> list[SignatureEntry]:
        present = [t for t in tensors if t is not None]
        return [SignatureEntry(schema.TensorMapT(name=t.name.encode()), t) for t in present]

    fields = schema.SignatureDefT(signatureKey=PRIMARY_SIGNATURE.encode(), subgraphIndex=0)
    return Signature(fields, entries(graph.inputs), entries(graph.outputs))


def _calibration(model: Model, samples: Samples) -> tuple[list[str], tuple[Any, ...]]:
    """Names of the primary signature's inputs, and their samples [n, *shape]."""
    entries = _primary(model).inputs
    infos = [entry.tensor.info(_text(entry.fields.name)) for entry in entries]
    return [_text(entry.fields.name) for entry in entries], fit_samples(samples, infos)


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _changes(before: dict[str, Any], model: Model, mode: Quantization) -> list[Change]:
    changes = []
    for site in weight_sites(model):
        tensor, old = site.tensor, before.get(site.tensor.name)
        if old is None or old.type == tensor.type or old.is_sparse:
            continue
        zeros = [int(a.size - np.count_nonzero(a)) for a in (old.array(), tensor.array())]
        changes.append(
            Change(
                tensor=tensor.name,
                what=f"{mode}: {old.type_name} to {tensor.type_name}, zeros {zeros[0]:,} to {zeros[1]:,}",
                bytes_before=old.buffer.nbytes,
                bytes_after=tensor.buffer.nbytes,
            )
        )
    return changes
