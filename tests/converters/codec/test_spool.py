"""What the spool keeps stays as it was, however much comes after."""

import pytest

from sparsetool_converters.codec.spool import MOST_BLOCK_BYTES, Spool


@pytest.mark.parametrize("expected_bytes", [0, 100, 2**40])
def test_frames_stay_as_they_were_kept(expected_bytes):
    spool = Spool(expected_bytes)
    frames = [b"", b"\1", bytes(range(256)) * 7, b"\2" * (MOST_BLOCK_BYTES - 3), b"\3" * (MOST_BLOCK_BYTES + 1), b"\4"]
    kept = [spool.keep(frame) for frame in frames]
    assert [bytes(view) for view in kept] == frames
