"""Measure a target's table anew on the runtime that is installed."""

from collections.abc import Sequence

from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.versions import installed_versions
from sparsetool.report.target_records import TargetCheckRecord, TrialRecord
from sparsetool.verify import require_runtime
from sparsetool.verify.trials import run_trials
from sparsetool_converters.errors import UsageError
from sparsetool_converters.targets import MICRO_KERNEL_SETS, target_named
from sparsetool_converters.targets.cases import cases_of

RUNTIME = "ai-edge-litert"
MICRO_RUNTIME = "tflite-micro"


def check_target(name: str, kernel_sets: Sequence[str] = (), *, listener: Listener | None = None) -> TargetCheckRecord:
    """Run every case of a target's table.

    Args:
        name: the target.
        kernel_sets: the kernels to run them on; all if there is none.
        listener: hears of progress.

    Raises:
        UsageError: the target or a kernel set is not known, or the target is no runtime that could be run.
        VerificationError: a dense twin does not run.
    """
    target = target_named(name)
    known = target.kernel_sets
    unknown = [kernel_set for kernel_set in kernel_sets if kernel_set not in known]
    if unknown:
        raise UsageError(f"kernel set {unknown[0]!r} is not known; known kernel sets: {', '.join(known)}")
    chosen = [k for k in known if not kernel_sets or k in kernel_sets]
    cases = cases_of(target)
    if not cases:
        raise UsageError(f"target {name!r} stands for readers of many kinds, so there is nothing to run; take litert")
    require_runtime(known)
    hears = listener or Silence()
    results = run_trials(
        [case.build() for case in cases],
        chosen,
        on_progress=lambda done, total: hears.progress(f"check {name}", done, total),
    )
    trials = tuple(
        TrialRecord(
            case=case.name,
            row=case.row,
            kernel_set=str(kernel_set),
            expected=str(case.expected.on(kernel_set)),
            measured=str(trial.outcome),
            words=trial.words,
        )
        for case, result in zip(cases, results, strict=True)
        for kernel_set, trial in result.items()
    )
    runtime = MICRO_RUNTIME if known == MICRO_KERNEL_SETS else RUNTIME
    return TargetCheckRecord(target=name, runtime=f"{runtime} {installed_versions(runtime)[runtime]}", trials=trials)
