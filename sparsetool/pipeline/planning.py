"""What compressing a model would decide for each constant, without writing a model."""

import json
from pathlib import Path

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.outputs import check_destination, write
from sparsetool.pipeline.sources import load_source
from sparsetool.report.plans import PlanRecord, plan_record
from sparsetool.report.records import as_json


def plan_model(
    source: str | Path,
    settings: Settings | None = None,
    *,
    destination: str | Path | None = None,
    force: bool = False,
    listener: Listener | None = None,
) -> PlanRecord:
    """Plan a model, and save the plan if asked to.

    The plan is made from the model as `compress` would encode it: densified, canonicalized and compacted. It holds no
    path and no time, so the same model gives the same bytes.

    Args:
        source: anything that `load_source` reads.
        settings: target and objective; the default is that of `compress`.
        destination: a JSON file for the plan; None to save nothing.
        force: whether an existing destination is replaced.
        listener: hears of progress.

    Raises:
        SparseToolError: whatever went wrong; the destination is then as it was before.
    """
    source = Path(source)
    if destination is not None:
        check_destination(Path(destination), force=force)
    plan = convert(load_source(source), settings or Settings(), where=str(source), listener=listener or Silence()).plan
    assert plan is not None, "a plan needs settings that encode"
    record = plan_record(plan)
    if destination is not None:
        write(Path(destination), (json.dumps(as_json("plan", record), indent=2) + "\n").encode())
    return record
