"""What a model file consists of."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from sparsetool.report.records import Sizes, TensorRecord
from sparsetool_converters.codec import pack
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.model.decode_operator import Decoded, decoded_constants
from sparsetool_converters.passes import DeadChannels, dead_channels
from sparsetool_converters.plan import bits
from sparsetool_converters.weights import weight_sites


@dataclass(frozen=True, kw_only=True)
class MicroMemory:
    """What a model with TFLM_DECODE takes of a microcontroller, beside the same model with dense weights.

    Attributes:
        flash_bytes: the file, which is run from where it lies.
        dense_flash_bytes: the dense model's.
        decoded_bytes: all that TFLM_DECODE unpacks; the arena reuses the room from operator to operator.
        arena_bytes: what the runtime's arena holds; None where that could not be measured.
        dense_arena_bytes: the same for the dense model.
    """

    flash_bytes: int
    dense_flash_bytes: int
    decoded_bytes: int
    arena_bytes: int | None
    dense_arena_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class InspectionRecord:
    """One model.

    Attributes:
        name: the file's name.
        sizes: its sizes in bytes.
        subgraphs: how many functions it has.
        operators: how often each operator occurs, and at which version, as "FULLY_CONNECTED v8".
        inputs: name, type and shape of each input.
        outputs: the same of each output.
        weights: elements of all weights.
        zeros: how many of them are zero.
        dead: what compaction would take away; weights that are encoded are not looked into.
        tensors: every weight, as stored.
        micro: what it takes of a microcontroller, where it is stored for one.
    """

    name: str
    sizes: Sizes
    subgraphs: int
    operators: dict[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: int
    zeros: int
    dead: DeadChannels
    tensors: tuple[TensorRecord, ...]
    micro: MicroMemory | None = None


def inspect_model(data: bytes, *, name: str) -> InspectionRecord:
    """Measure a model without running it.

    Raises:
        ModelFormatError: not a .tflite model.
    """
    model = Model.from_bytes(data, where=name)
    primary = model.subgraphs[0]
    sites = {site.tensor: site for site in weight_sites(model)}
    counts = [_count(tensor) for tensor in sites]
    tensors = tuple(
        TensorRecord(
            name=tensor.name,
            op=site.use.op,
            shape=tensor.shape,
            type=tensor.type_name,
            sparsity=zeros / elements if elements else 0.0,
            dense_bytes=tensor.nbytes_of(elements) if elements else 0,
            stored_bytes=_stored_bytes(tensor),
            encoded=tensor.is_sparse,
            reason=_how(tensor, site.reader.name),
        )
        for (tensor, site), (elements, zeros) in zip(sites.items(), counts, strict=True)
    )
    decoded = decoded_weights(model)
    counts += [_elements(constant) for constant, _ in decoded]
    tensors += tuple(_decoded_record(constant, op) for constant, op in decoded)
    operators = Counter(f"{op.name} v{op.code.version}" for _, op in model.operators())
    return InspectionRecord(
        name=name,
        sizes=Sizes.of(data, pack(data)),
        subgraphs=len(model.subgraphs),
        operators=dict(sorted(operators.items())),
        inputs=tuple(_face(t) for t in primary.inputs),
        outputs=tuple(_face(t) for t in primary.outputs),
        weights=sum(elements for elements, _ in counts),
        zeros=sum(zeros for _, zeros in counts),
        dead=dead_channels(model),
        tensors=tensors,
    )


def decoded_weights(model: Model) -> list[tuple[Decoded, str]]:
    """What TFLM_DECODE unpacks, each constant once, with its first reader."""
    found: dict[Tensor, tuple[Decoded, str]] = {}
    for graph in model.subgraphs:
        readers = graph.consumers()
        for operator in graph.operators:
            for constant in decoded_constants(operator):
                reader = next((op.name for op, _ in readers.get(constant.output, [])), "")
                found.setdefault(constant.bitmap, (constant, reader))
    return list(found.values())


def _elements(constant: Decoded) -> tuple[int, int]:
    array = constant.array()
    return array.size, array.size - int(np.count_nonzero(bits(array)))


def _decoded_record(constant: Decoded, op: str) -> TensorRecord:
    elements, zeros = _elements(constant)
    output = constant.output
    return TensorRecord(
        name=output.name,
        op=op,
        shape=output.shape,
        type=output.type_name,
        sparsity=zeros / elements if elements else 0.0,
        dense_bytes=output.nbytes_of(elements),
        stored_bytes=constant.stored_bytes,
        encoded=True,
        reason="bitmap, unpacked by TFLM_DECODE",
    )


def _count(tensor: Tensor) -> tuple[int, int]:
    """Elements and zeros; a type without elements of a fixed size counts as none.

    A sparse tensor is not unpacked: its few bytes may declare any size.
    """
    if tensor.element_dtype is None and tensor.packing is None:
        return 0, 0
    if tensor.is_sparse:
        elements, values = math.prod(tensor.shape), tensor.checked_encoding().values
    else:
        values = tensor.array()
        elements = values.size
    return elements, elements - int(np.count_nonzero(bits(values)))


def _stored_bytes(tensor: Tensor) -> int:
    return tensor.buffer.nbytes + (tensor.encoded().index_bytes if tensor.is_sparse else 0)


def _how(tensor: Tensor, reader: str) -> str:
    if not tensor.is_sparse:
        return "dense"
    return "sparse, unpacked by DENSIFY" if reader == "DENSIFY" else "sparse, read by the kernel"


def _face(tensor: Tensor | None) -> str:
    return "none" if tensor is None else f"{tensor.name} {tensor.type_name.lower()} {list(tensor.shape)}"
