"""One standard Zstandard frame, with content size and checksum, that any zstd tool unpacks."""

import zstandard

from sparsetool_converters.errors import ModelFormatError

COMPRESSION_LEVEL = 19  # 20 to 22 ask the receiver for more memory and were no smaller on the models measured
MAX_CONTENT_BYTES = 2**31  # no flatbuffer is larger


def compress(data: bytes) -> bytes:
    """Pack `data` into one frame. The same bytes give the same frame: one thread, fixed parameters."""
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True, write_content_size=True)
    return compressor.compress(data)


def decompress(frame: bytes, *, where: str = "frame", max_bytes: int = MAX_CONTENT_BYTES) -> bytes:
    """Unpack one frame.

    Args:
        frame: the whole frame and nothing else.
        where: what to call it in errors.
        max_bytes: the largest content that is accepted.

    Raises:
        ModelFormatError: not a Zstandard frame, damaged, cut off, without content size, larger than
            `max_bytes`, or followed by other bytes.
    """
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size == zstandard.CONTENTSIZE_UNKNOWN:
            raise ModelFormatError(where, "is a Zstandard frame without content size")
        if parameters.content_size > max_bytes:
            raise ModelFormatError(
                where, f"declares {parameters.content_size:,} bytes, more than the {max_bytes:,} allowed"
            )
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        content = decompressor.decompress(frame)
    except zstandard.ZstdError as problem:
        raise ModelFormatError(where, f"is not a whole Zstandard frame ({problem})") from problem
    if not decompressor.eof or len(content) != parameters.content_size:
        raise ModelFormatError(
            where, f"is cut off: {len(content):,} of {parameters.content_size:,} bytes could be unpacked"
        )
    if decompressor.unused_data:
        raise ModelFormatError(where, f"has {len(decompressor.unused_data):,} bytes behind its frame")
    return content
