"""All sizes of models, each measured once however many artifacts pass through it."""

from hashlib import sha256

from sparsetool.pipeline.formats import Format, packed
from sparsetool.report.records import Sizes


class SizeMeter:
    """Packs models and remembers them, since packing takes long and artifacts share stages."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Format], tuple[bytes, Sizes]] = {}

    def measure(self, model: bytes, written: Format = Format.TFLZ) -> tuple[bytes, Sizes]:
        """The bytes that travel in a format, and all sizes of the model."""
        key = sha256(model).hexdigest(), written
        if key not in self._known:
            travelling = packed(model, written)
            self._known[key] = travelling, Sizes.of(model, travelling)
        return self._known[key]
