"""The wire format: what travels, and how it comes back."""

from sparsetool_converters.codec.accounting import Accounting, TensorBytes, account
from sparsetool_converters.codec.errors import WireFormatError
from sparsetool_converters.codec.frames import Effort
from sparsetool_converters.codec.packing import pack
from sparsetool_converters.codec.reading import PackedModel, open  # noqa: A004  (as gzip.open and its like)
from sparsetool_converters.codec.unpacking import unpack
from sparsetool_converters.codec.zst import COMPRESSION_LEVEL, compress, decompress

__all__ = [
    "COMPRESSION_LEVEL",
    "Accounting",
    "Effort",
    "PackedModel",
    "TensorBytes",
    "WireFormatError",
    "account",
    "compress",
    "decompress",
    "open",
    "pack",
    "unpack",
]
