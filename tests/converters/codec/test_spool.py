"""What the spool keeps stays as it was, however much comes after."""

from sparsetool_converters.codec.spool import _BLOCK_BYTES, Spool


def test_frames_stay_as_they_were_kept():
    spool = Spool()
    frames = [b"", b"\1", bytes(range(256)) * 7, b"\2" * (_BLOCK_BYTES - 3), b"\3" * (_BLOCK_BYTES + 1), b"\4"]
    kept = [spool.keep(frame) for frame in frames]
    assert [bytes(view) for view in kept] == frames
