"""Several models in one call: each in a process of its own, and what one does is nothing to the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparsetool.pipeline.cache import Cache
from sparsetool.pipeline.compress import COMPRESS, publish, stored_output
from sparsetool.pipeline.conversion_process import ConversionProcesses, ProcessFailedError
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.outputs import exists_already, holds, make_folder
from sparsetool.pipeline.request import Output, Request
from sparsetool.pipeline.run_folder import WORK, RunFolder, opened
from sparsetool.pipeline.size_gate import SizeGate, SizeLimitError
from sparsetool.report.size_records import BatchRecord, FailureRecord, MadeRecord, SizedRecord, SizesRecord
from sparsetool_converters.errors import SparseToolError, UsageError


def compress_all(
    requests: Sequence[Request],
    *,
    gate: SizeGate | None = None,
    force: bool = False,
    jobs: int = 1,
    cache: Cache | None = None,
    before_writing: Sequence[Callable[[Output], None]] | None = None,
    listener: Listener | None = None,
) -> BatchRecord:
    """Convert, verify and write several models; those that fail are told of and leave the others alone.

    What was made is remembered in a folder `.work` beside the results: a second call makes only what is missing or has
    other inputs by now, also after the first one was killed.

    Args:
        requests: the models, no two with the same output. Folders for the outputs are made.
        gate: limits on each result's sizes.
        force: whether outputs that hold something else are replaced.
        jobs: how many processes work at a time.
        cache: where results of earlier calls in other folders are.
        before_writing: for each model what its result is first shown to, which raises if it must not be written.
        listener: hears of each model that is done.

    Raises:
        UsageError: two outputs are the same, or one is a source, or two results have one name in a baseline or budget;
            nothing has been done then.
        OutputError: a folder cannot be written, or another call is at work there.
    """
    gate, listener = gate or SizeGate(), listener or Silence()
    _check_outputs(requests)
    _check_names(requests, gate)
    processes = ConversionProcesses()
    with ExitStack() as stack:
        folders = {parent: stack.enter_context(_work(parent, cache)) for parent in _parents(requests)}
        pool = stack.enter_context(ThreadPoolExecutor(jobs, thread_name_prefix="conversion"))
        convert = _Conversion(processes, gate, force)
        checks: Sequence[Callable[[Output], None] | None] = before_writing or [None] * len(requests)
        futures = [
            pool.submit(convert, request, folders[request.output.parent], check)
            for request, check in zip(requests, checks, strict=True)
        ]
        place = {future: position for position, future in enumerate(futures)}
        try:
            listener.progress(COMPRESS, 0, len(requests))
            for done, future in enumerate(as_completed(futures), 1):
                listener.progress(COMPRESS, done, len(requests), str(requests[place[future]].source))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end()
            raise
    return _batch([future.result() for future in futures])


@dataclass(frozen=True, kw_only=True)
class _Failed:
    failure: FailureRecord
    sized: SizedRecord | None = None


@dataclass(frozen=True)
class _Conversion:
    processes: ConversionProcesses
    gate: SizeGate
    force: bool

    def __call__(
        self, request: Request, folder: RunFolder, check: Callable[[Output], None] | None
    ) -> MadeRecord | _Failed:
        source = str(request.source)
        try:
            return self._made(request, folder, check)
        except SizeLimitError as problem:
            return _Failed(failure=failure_of(source, problem), sized=problem.artifacts[0])
        except Exception as problem:  # a fault of our own is this model's alone as well
            return _Failed(failure=failure_of(source, problem))

    def _made(self, request: Request, folder: RunFolder, check: Callable[[Output], None] | None) -> MadeRecord:
        """Raises SparseToolError: whatever went wrong; the output is then as it was before."""
        step, inputs, files = f"{COMPRESS} {request.output.name}", request.key(), (request.output.name,)
        known = folder.current(step, inputs, files) is not None
        if request.output.exists() and not known and not self.force:
            raise exists_already(request.output)
        outcome = ["reused"]

        def make(destination: Path) -> dict[str, Any]:
            outcome[0] = "made"
            return self.processes.convert(request, destination)

        output = stored_output(request, folder.path, folder.step(step, inputs, files, make))
        passed = self.gate.passed(request.name, output.model, output.record)
        if request.output.exists() and not self.force and not holds(request.output, output.content):
            raise exists_already(request.output)
        if check is not None:
            check(output)
        publish(output, request.output, within=folder.path)
        return MadeRecord(
            source=str(request.source),
            output=str(request.output),
            outcome="made" if outcome[0] == "made" else "reused",
            artifact=passed,
        )


def failure_of(name: str, problem: Exception) -> FailureRecord:
    """What there is to tell of a model that nothing was made of."""
    if isinstance(problem, ProcessFailedError):
        return FailureRecord(name=name, error=problem.error, exit_code=problem.exit_code, message=str(problem))
    code = problem.exit_code if isinstance(problem, SparseToolError) else 1
    return FailureRecord(name=name, error=type(problem).__name__, exit_code=code, message=str(problem))


def sizes_of(batch: BatchRecord, requests: Sequence[Request], gate: SizeGate) -> SizesRecord:
    """What there is to tell of the sizes of several models, all under the names of their results.

    Args:
        batch: what became of them.
        requests: what was asked for.
        gate: the limits that they were held to.
    """
    names = {str(request.source): request.name for request in requests}
    made = tuple(SizedRecord.of(one.artifact, names[one.source]) for one in batch.made)
    failures = tuple(
        replace(failure, name=names[failure.name])
        for failure in batch.failures
        if failure.error != SizeLimitError.__name__
    )
    return SizesRecord(artifacts=(*made, *batch.over_limits), gone=gate.gone(names.values()), failures=failures)


def _batch(results: Sequence[MadeRecord | _Failed]) -> BatchRecord:
    failed = [result for result in results if isinstance(result, _Failed)]
    return BatchRecord(
        made=tuple(result for result in results if isinstance(result, MadeRecord)),
        failures=tuple(result.failure for result in failed),
        over_limits=tuple(result.sized for result in failed if result.sized is not None),
        exit_code=failed[0].failure.exit_code if failed else 0,
    )


def _parents(requests: Sequence[Request]) -> list[Path]:
    return list(dict.fromkeys(request.output.parent for request in requests))


def _work(parent: Path, cache: Cache | None) -> Any:
    make_folder(parent / WORK)
    return opened(parent / WORK, Silence(), cache)


def _check_outputs(requests: Sequence[Request]) -> None:
    sources = {request.source.resolve() for request in requests}
    taken: dict[Path, Path] = {}
    for request in requests:
        output = request.output.resolve()
        if output in taken:
            raise UsageError(f"{request.source} and {taken[output]} would both be written to {request.output}")
        if output in sources:
            raise UsageError(f"{request.output} is a source; name a folder for the results with -o")
        taken[output] = request.source


def _check_names(requests: Sequence[Request], gate: SizeGate) -> None:
    taken: dict[str, Path] = {}
    for request in requests:
        other = taken.setdefault(request.name, request.source)
        if other is not request.source and (gate.baseline is not None or request.name in gate.budgets.own):
            raise UsageError(
                f"the results of {other} and {request.source} are both {request.name!r} in baseline and budgets; "
                "convert them in calls of their own, each with its baseline"
            )
