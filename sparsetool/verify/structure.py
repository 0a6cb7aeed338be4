"""Compare what two models show to their callers."""

from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model, Tensor


def check_structure(reference: bytes, candidate: bytes, *, stage: str, same_types: bool = True) -> None:
    """Raise VerificationError unless both models have the same inputs, outputs, signatures and metadata names.

    Args:
        reference: bytes of one .tflite.
        candidate: bytes of the other.
        stage: what made the candidate, for the error.
        same_types: whether element types count; quantization to int8 changes those of inputs and outputs.
    """
    wanted, found = Model.from_bytes(reference), Model.from_bytes(candidate)
    for kind in ("inputs", "outputs"):
        mine = [_face(t, same_types) for t in getattr(wanted.subgraphs[0], kind)]
        theirs = [_face(t, same_types) for t in getattr(found.subgraphs[0], kind)]
        if mine != theirs:
            raise VerificationError(stage, "", f"{kind} are {'; '.join(theirs)}, not {'; '.join(mine)}")
    if _signatures(wanted) != _signatures(found):
        raise VerificationError(stage, "", f"signatures are {_signatures(found)}, not {_signatures(wanted)}")
    if _metadata(wanted) != _metadata(found):
        raise VerificationError(stage, "", f"metadata is {_metadata(found)}, not {_metadata(wanted)}")


def _face(tensor: Tensor | None, with_type: bool) -> str:
    if tensor is None:
        return "none"
    return f"{tensor.name} {list(tensor.shape)}" + (f" {tensor.type_name}" if with_type else "")


def _signatures(model: Model) -> list[tuple[str, list[str], list[str]]]:
    return [
        (
            _text(s.fields.signatureKey),
            [_text(e.fields.name) for e in s.inputs],
            [_text(e.fields.name) for e in s.outputs],
        )
        for s in model.signatures or []
    ]


def _metadata(model: Model) -> list[str]:
    return [_text(m.fields.name) for m in model.metadata or []]


def _text(raw: bytes | str | None) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else (raw or "")
