"""What a gate on sizes measured."""

from dataclasses import dataclass
from typing import Literal

from sparsetool.report.records import ArtifactRecord, SizeLimitRecord, Sizes


@dataclass(frozen=True, kw_only=True)
class SizedRecord:
    """One artifact's sizes.

    Attributes:
        name: the artifact.
        sizes: what it takes, in bytes.
        baseline: what it took, where a baseline knows it.
        limits: the limits that it had to keep.
    """

    name: str
    sizes: Sizes
    baseline: Sizes | None = None
    limits: tuple[SizeLimitRecord, ...] = ()

    @classmethod
    def of(cls, artifact: ArtifactRecord, name: str) -> "SizedRecord":
        """What there is to tell of an artifact's sizes."""
        return cls(name=name, sizes=artifact.sizes, baseline=artifact.baseline, limits=artifact.limits)


@dataclass(frozen=True, kw_only=True)
class FailureRecord:
    """One model that nothing was made of.

    Attributes:
        name: the model, as it was named.
        error: the kind of error, such as "ModelFormatError".
        exit_code: what the command line returns for it alone.
        message: the rule, the value, and the way out, in one line.
    """

    name: str
    error: str
    exit_code: int
    message: str

    @property
    def told(self) -> str:
        """The message, which begins with the name or gets it."""
        return self.message if self.message.startswith(self.name) else f"{self.name}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class SizesRecord:
    """Sizes of several artifacts, and whether they keep their limits.

    Attributes:
        artifacts: all that were measured, within their limits or not.
        gone: names that the baseline knows and nobody measured.
        failures: what could not be measured.
    """

    artifacts: tuple[SizedRecord, ...]
    gone: tuple[str, ...] = ()
    failures: tuple[FailureRecord, ...] = ()

    @property
    def broken(self) -> tuple[tuple[str, SizeLimitRecord], ...]:
        """The limits that are not kept, each with its artifact's name."""
        return tuple((sized.name, limit) for sized in self.artifacts for limit in sized.limits if not limit.kept)


@dataclass(frozen=True, kw_only=True)
class BaselineEntry:
    """What one artifact took.

    Attributes:
        name: the artifact.
        sizes: its sizes, in bytes.
    """

    name: str
    sizes: Sizes


@dataclass(frozen=True, kw_only=True)
class BaselineRecord:
    """Sizes that later ones are held against, as they are committed beside the models.

    Attributes:
        artifacts: one entry each, by name.
    """

    artifacts: tuple[BaselineEntry, ...]


@dataclass(frozen=True, kw_only=True)
class MadeRecord:
    """One of several models that were converted in one call.

    Attributes:
        source: the model, as it was named.
        output: where the result is.
        outcome: "made", "reused" from an earlier call, or from the cache.
        artifact: all that was measured of it.
    """

    source: str
    output: str
    outcome: Literal["made", "reused"]
    artifact: ArtifactRecord


@dataclass(frozen=True, kw_only=True)
class BatchRecord:
    """Several models, converted in one call.

    Attributes:
        made: those that were, in the order they were named.
        failures: those that were not.
        over_limits: sizes of those among the failures that were made and are too large.
        exit_code: that of the first failure, in the order they were named; 0 without one.
    """

    made: tuple[MadeRecord, ...]
    failures: tuple[FailureRecord, ...]
    over_limits: tuple[SizedRecord, ...]
    exit_code: int
