"""Compare what two models show to their callers."""

from collections.abc import Iterator

import numpy as np

from sparsetool.report.verification_record import VerificationFinding
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Buffer, Model, Signature, SignatureEntry, Tensor

STRUCTURE = "structure"
# What converters note about themselves; it says nothing to whoever runs the model.
OF_CONVERTERS = ("min_runtime_version", "CONVERSION_METADATA")


def check_structure(reference: bytes, candidate: bytes, *, stage: str, same_types: bool = True) -> None:
    """Raise VerificationError for the first finding of `structure_findings`.

    Args:
        reference: bytes of one .tflite.
        candidate: bytes of the other.
        stage: what made the candidate, for the error.
        same_types: as of `structure_findings`.
    """
    models = Model.from_bytes(reference), Model.from_bytes(candidate)
    for finding in structure_findings(*models, same_types=same_types):
        raise VerificationError(stage, finding.where, finding.problem)


def structure_findings(
    reference: Model, candidate: Model, *, same_types: bool = True
) -> tuple[VerificationFinding, ...]:
    """Every difference in inputs, outputs, signatures and metadata.

    Args:
        reference: one model.
        candidate: the other.
        same_types: whether element types count; quantization to int8 changes those of inputs and outputs.
    """
    problems = [
        *_differences(reference, candidate, "input", same_types),
        *_differences(reference, candidate, "output", same_types),
        *_signature_differences(reference, candidate),
        *_metadata_differences(reference, candidate),
    ]
    return tuple(
        VerificationFinding(kind=STRUCTURE, where=where, problem=problem, exit_code=VerificationError.exit_code)
        for where, problem in problems
    )


def _differences(reference: Model, candidate: Model, kind: str, same_types: bool) -> Iterator[tuple[str, str]]:
    """(name, what is wrong) of each input or output of the main subgraph that is not as in the reference."""
    wanted, found = (getattr(model.subgraphs[0], f"{kind}s") for model in (reference, candidate))
    if len(wanted) != len(found):
        names = ", ".join(_name(tensor) for tensor in found) or "none"
        yield "", f"the model has {len(found)} {kind}s ({names}) instead of {len(wanted)}"
        return
    for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
        ours, theirs = _face(one, same_types), _face(other, same_types)
        if ours != theirs:
            yield _name(one), f"{kind} {place} is {theirs} instead of {ours}"


def _signature_differences(reference: Model, candidate: Model) -> Iterator[tuple[str, str]]:
    wanted, found = ({signature_key(s): s for s in m.signatures or []} for m in (reference, candidate))
    for key, signature in wanted.items():
        if key not in found:
            others = ", ".join(name for name in found if name not in wanted)
            yield key, f"the signature is gone{f'; there is {others}' if others else ''}"
            continue
        for kind in ("inputs", "outputs"):
            ours, theirs = (_entries(s, kind) for s in (signature, found[key]))
            if ours != theirs:
                yield key, f"the signature's {kind} are {theirs} instead of {ours}"
    for key in found:
        if key not in wanted:
            yield key, "the reference has no such signature"


def _entries(signature: Signature, kind: str) -> str:
    """The names of a signature's inputs or outputs, with the tensor that each stands for."""
    entries = signature.inputs if kind == "inputs" else signature.outputs
    return ", ".join(sorted(f"{entry_name(e)} ({e.tensor.name})" for e in entries)) or "none"


def _metadata_differences(reference: Model, candidate: Model) -> Iterator[tuple[str, str]]:
    wanted, found = ({_text(m.fields.name): m.buffer for m in model.metadata or []} for model in (reference, candidate))
    for name, buffer in wanted.items():
        if name not in found:
            yield name, "the metadata is gone"
        elif name not in OF_CONVERTERS and not _equal(buffer, found[name]):
            yield name, f"the metadata has other content: {found[name].nbytes:,} bytes instead of {buffer.nbytes:,}"
    for name in found:
        if name not in wanted and name not in OF_CONVERTERS:
            yield name, "the reference has no such metadata"


def _equal(one: Buffer, other: Buffer) -> bool:
    if one.data is None or other.data is None:
        return one.nbytes == other.nbytes
    return np.array_equal(one.data, other.data)


def _name(tensor: Tensor | None) -> str:
    return "none" if tensor is None else tensor.name


def _face(tensor: Tensor | None, with_type: bool) -> str:
    """Name, shape and type; a dimension that may be resized is "?"."""
    if tensor is None:
        return "none"
    signature = tensor.fields.shapeSignature
    shape = list(tensor.shape) if signature is None or not len(signature) else [int(d) for d in signature]
    sizes = ", ".join("?" if size < 0 else str(size) for size in shape)
    return f"{tensor.name} [{sizes}]" + (f" {tensor.type_name}" if with_type else "")


def signature_key(signature: Signature) -> str:
    """The name by which a signature is called."""
    return _text(signature.fields.signatureKey)


def entry_name(entry: SignatureEntry) -> str:
    """What a signature calls one of its inputs or outputs."""
    return _text(entry.fields.name)


def _text(raw: bytes | str | None) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else (raw or "")
