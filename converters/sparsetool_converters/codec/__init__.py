"""The wire format: what travels, and how it comes back."""

from sparsetool_converters.codec.zst import COMPRESSION_LEVEL, compress, decompress

__all__ = ["COMPRESSION_LEVEL", "compress", "decompress"]
