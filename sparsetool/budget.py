"""Sizes as people write them, and limits on them.

MB is 10^6 bytes and KB 10^3, as networks and storage count; MiB and KiB are 2^20 and 2^10.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal

from sparsetool_converters.errors import UsageError

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
    """The most that an artifact may take, in bytes, None where there is no limit.

    Attributes:
        disk: the .tflite that the runtime maps.
        gzip: the .tflite after gzip -9.
        zstd: the .tflite after zstd -19.
        wire: the packed file that travels.
        ram: what is resident after the first inference; measured on this machine, and only where there is a limit.
    """

    disk: int | None = None
    gzip: int | None = None
    zstd: int | None = None
    wire: int | None = None
    ram: int | None = None

    @property
    def limits(self) -> dict[str, int]:
        """The limits that there are, by the kind of size."""
        return {kind: limit for kind, limit in asdict(self).items() if limit is not None}

    def over(self, other: "Budget") -> "Budget":
        """These limits, and those of another budget for the kinds that have none here."""
        return Budget(**other.limits | self.limits)

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "disk=1.2MB,wire=600KB", any kinds of size in any order.

        Raises:
            UsageError: another kind of size, one given twice, or not a size.
        """
        limits: dict[str, int] = {}
        for part in text.split(","):
            kind, equals, size = part.partition("=")
            kind = kind.strip()
            if not equals or kind not in SIZE_KINDS or kind in limits:
                raise UsageError(
                    f"budget {text!r}: write each of {', '.join(SIZE_KINDS)} at most once, as disk=1.2MB,wire=600KB"
                )
            limits[kind] = parse_size(size)
        return cls(**limits)


SIZE_KINDS = tuple(f.name for f in fields(Budget))


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Limits on several artifacts.

    Attributes:
        every: what holds for an artifact that has no limit of its own of that kind.
        own: limits of single artifacts, by their names.
    """

    every: Budget = Budget()
    own: Mapping[str, Budget] = field(default_factory=dict)

    def of(self, artifact: str) -> Budget:
        """What an artifact must keep."""
        return self.own.get(artifact, Budget()).over(self.every)

    def over(self, other: "Budgets") -> "Budgets":
        """These limits, and those of others for the artifacts and kinds that have none here."""
        own = {name: other.own.get(name, Budget()) for name in (*other.own, *self.own)}
        over = {name: self.own.get(name, Budget()).over(self.every).over(limits) for name, limits in own.items()}
        return Budgets(every=self.every.over(other.every), own=over)

    def check_names(self, artifacts: Iterable[str]) -> None:
        """Raise UsageError for a limit of an artifact that is not among these."""
        names = sorted(artifacts)
        for name in self.own:
            if name not in names:
                raise UsageError(
                    f"there is a budget for {name!r}, which is not made here; there are {', '.join(names)}"
                )

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Budgets":
        """Read "disk=1.2MB,wire=600KB" for every artifact, or "NAME:disk=1.2MB" for one; of several the last counts.

        Raises:
            UsageError: see `Budget.parse`.
        """
        every, own = Budget(), dict[str, Budget]()
        for text in texts:
            name, colon, limits = text.rpartition(":")
            budget = Budget.parse(limits)
            if colon:
                own[name] = budget.over(own.get(name, Budget()))
            else:
                every = budget.over(every)
        return cls(every=every, own=own)
