"""Arrays only: leave zeros out and bring them back, in the layouts of TFLite's schema and of the micro runtime."""

from sparsetool_converters.sparsity.bitmap import Bitmap, decode_bitmap, encode_bitmap
from sparsetool_converters.sparsity.decoding import DEFAULT_MAX_ELEMENTS, check, decode
from sparsetool_converters.sparsity.encoding import (
    DimensionMetadata,
    EncodedSize,
    EncodedTensor,
    encode,
    encoded_bytes,
    encoded_size,
)
from sparsetool_converters.sparsity.format import BlockFormat, DimensionFormat, block_csr, csr
from sparsetool_converters.sparsity.index_width import narrowest

__all__ = [
    "DEFAULT_MAX_ELEMENTS",
    "Bitmap",
    "BlockFormat",
    "DimensionFormat",
    "DimensionMetadata",
    "EncodedSize",
    "EncodedTensor",
    "block_csr",
    "check",
    "csr",
    "decode",
    "decode_bitmap",
    "encode",
    "encode_bitmap",
    "encoded_bytes",
    "encoded_size",
    "narrowest",
]
