"""Sizes as people write them, and limits on them.

MB is 10^6 bytes and KB 10^3, as networks and storage count; MiB and KiB are 2^20 and 2^10.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from sparsetool_converters.errors import BudgetExceededError, UsageError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]I?B|B|)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes from a size such as "1.2MB", "600 KB", "64KiB" or "1048576".

    Raises:
        UsageError: not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a size; write it as 1.2MB, 600KB, 64KiB or a number of bytes")
    return int(Decimal(match[1]) * _UNITS[match[2].upper()])


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that an artifact may take, None where there is no limit.

    Attributes:
        disk: bytes of the .tflite that the runtime maps.
        wire: bytes of the packed file that travels.
    """

    disk: int | None = None
    wire: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "disk=1.2MB,wire=600KB", either part alone or both.

        Raises:
            UsageError: another kind of size, one given twice, or not a size.
        """
        limits: dict[str, int] = {}
        for part in text.split(","):
            kind, equals, size = part.partition("=")
            kind = kind.strip()
            if not equals or kind not in ("disk", "wire") or kind in limits:
                raise UsageError(f"budget {text!r}: write each of disk and wire at most once, as disk=1.2MB,wire=600KB")
            limits[kind] = parse_size(size)
        return cls(**limits)

    def check(self, artifact: str, *, disk_bytes: int, wire_bytes: int) -> None:
        """Raise BudgetExceededError for the first limit that the artifact exceeds."""
        for kind, limit, actual in (("disk", self.disk, disk_bytes), ("wire", self.wire, wire_bytes)):
            if limit is not None and actual > limit:
                raise BudgetExceededError(artifact, kind, limit, actual)
