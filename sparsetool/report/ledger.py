"""The sizes of an artifact from stage to stage, beginning with the run's first artifact, mostly the dense one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sparsetool.report.records import ArtifactRecord, RunRecord, Sizes, StageRecord

PRUNED = "pruned"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The sizes after one stage, in bytes.

    Attributes:
        stage: the stage.
        disk: the .tflite.
        sizes: all of them; None where only the .tflite was measured.
    """

    stage: str
    disk: int
    sizes: Sizes | None

    def of(self, size: str) -> int | None:
        """One size by its word, "disk" or "wire"."""
        if size == "disk":
            return self.disk
        return None if self.sizes is None else int(getattr(self.sizes, size))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One bar of a waterfall.

    Attributes:
        label: the stage.
        before: bytes before it; 0 for a bar that stands for a whole model.
        after: bytes after it.
    """

    label: str
    before: int
    after: int


def entries(run: RunRecord, artifact: ArtifactRecord) -> tuple[Entry, ...]:
    """The sizes after each stage of an artifact, after the run's first artifact if its source is another model."""
    reference = run.artifacts[0]
    found = [_entry(stage, artifact, last=stage is artifact.stages[-1]) for stage in artifact.stages]
    if not found:
        return (Entry(stage=artifact.name, disk=artifact.sizes.disk, sizes=artifact.sizes),)
    source = found[0]
    if artifact is reference or source.sizes in (None, reference.sizes):
        return tuple(found)
    first = Entry(stage=reference.name, disk=reference.sizes.disk, sizes=reference.sizes)
    name = source.stage if run.training is None else PRUNED
    return (first, Entry(stage=name, disk=source.disk, sizes=source.sizes), *found[1:])


def steps(found: Sequence[Entry], size: str) -> tuple[Step, ...]:
    """What each stage changed of a size, between the whole model before and after; empty where one is not known."""
    known = [(entry.stage, entry.of(size)) for entry in found]
    values = [(label, value) for label, value in known if value is not None]
    if len(values) < len(known) or len(known) < 2:
        return ()
    first, last = values[0], values[-1]
    changes = [Step(label=label, before=before, after=after) for (_, before), (label, after) in pairwise(values)]
    return (Step(label=first[0], before=0, after=first[1]), *changes, Step(label="result", before=0, after=last[1]))


def _entry(stage: StageRecord, artifact: ArtifactRecord, *, last: bool) -> Entry:
    # The last stage's result is the artifact, whose sizes are always measured.
    return Entry(stage=stage.name, disk=stage.disk_bytes, sizes=artifact.sizes if last else stage.sizes)
