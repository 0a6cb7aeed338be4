"""Find the operator at which a model begins to differ from its reference, by running ever other parts of it."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2, prod
from pathlib import Path

from sparsetool.pipeline.events import Listener, Silence
from sparsetool.report.bisect_record import BisectRecord
from sparsetool.verify import (
    CrashedRun,
    FailedRun,
    FinishedRun,
    KernelSet,
    Run,
    RunOutput,
    TimedOutRun,
    Tolerance,
    check,
    compare_outputs,
    run_model,
)
from sparsetool.verify.cut_points import CutPoint, constants_read, cut_points, depends_on_input
from sparsetool_converters.errors import CalibrationDataError, VerificationError
from sparsetool_converters.model import Model, Operator, Subgraph, Tensor
from sparsetool_converters.model.state import is_stateful
from sparsetool_converters.passes.cut import ASSIGN_VARIABLE, cut
from sparsetool_converters.samples import RandomSamples, Samples, fit_samples, sample_count
from sparsetool_converters.tensor_info import Array, TensorInfo

STAGE = "bisect"
MAX_KEPT_BYTES = 2**30  # of the reference's values


def bisect(
    reference: bytes,
    candidate: bytes,
    samples: Samples,
    *,
    kernel_set: KernelSet,
    tolerance: Tolerance,
    timeout_s: float,
    listener: Listener | None = None,
) -> BisectRecord:
    """Name the first operator of the candidate's main subgraph whose output leaves the tolerance.

    The reference runs once and shows what it has at every cut point. The candidate runs whole, and then cut after
    one operator or another, each time in a process of its own: log2(operators) + 3 runs at most. A part that crashes,
    is refused or does not end counts as out of tolerance.

    Args:
        reference: the model to trust.
        candidate: the model that differs from it, or does not run.
        samples: what both differ on. Of many, only the first are taken, as many as memory allows.
        kernel_set: the kernels to run both on.
        tolerance: what every tensor has to keep.
        timeout_s: seconds for each run.
        listener: hears of progress.

    Raises:
        CalibrationDataError: the samples do not fit the reference's inputs.
        ModelFormatError: either is not a model, or has inputs that hold no numbers.
    """
    ours, theirs = Model.from_bytes(reference), Model.from_bytes(candidate)
    with tempfile.TemporaryDirectory(prefix="sparsetool-bisect-") as folder:
        search = _Search(theirs, Path(folder, "cut.tflite"), kernel_set, tolerance, timeout_s, listener or Silence())
        try:
            return search.result(ours, samples)
        except _CannotTellError as problem:
            return search.record(problem=str(problem))


class _CannotTellError(Exception):
    """No operator can be named, for the reason in the text."""


@dataclass(frozen=True)
class _Rows:
    """Which samples a part of the candidate runs, the last one included, and from which one on answers count."""

    first: int
    last: int
    compared: int


@dataclass(frozen=True)
class _Problem:
    """What is wrong at an operator, and with which tensor; none is named where the model does not run."""

    operator: int
    text: str
    tensor: str = ""


class _Search:
    """One search; see `bisect` for the arguments."""

    def __init__(
        self,
        candidate: Model,
        model_path: Path,
        kernel_set: KernelSet,
        tolerance: Tolerance,
        timeout_s: float,
        listener: Listener,
    ) -> None:
        self._candidate, self._graph = candidate, candidate.subgraphs[0]
        self._model_path, self._kernel_set = model_path, kernel_set
        self._tolerance, self._timeout_s, self._listener = tolerance, timeout_s, listener
        self._makers = {t: i for i, o in enumerate(self._graph.operators) for t in o.outputs if t is not None}
        self._runs = self._most_runs = 0
        self._shown: dict[Tensor, RunOutput] = {}

    def result(self, reference: Model, samples: Samples) -> BisectRecord:
        """What `bisect` returns. Raises _CannotTellError too."""
        points = cut_points(reference, self._candidate)
        self._check_can_be_told(reference, points)
        arrays = _fitted(samples, reference, self._candidate)
        points, n_samples = _that_fit(points, sample_count(arrays[0]))
        self._most_runs = 2 + ceil(log2(len(points)))
        expected = self._run_reference(reference, points, [array[:n_samples] for array in arrays[0]])

        end, rows = points[-1], _Rows(0, n_samples - 1, 0)
        run = self._run_cut(end, arrays[1], rows)
        problem = self._problem(end, expected, run, rows)
        if problem is None:
            raise _CannotTellError("every output is within the tolerance")
        rows = self._fewest_rows(end, expected, run)
        good, bad, found = -1, len(points) - 1, problem
        while bad - good > 1:
            middle = (good + bad) // 2
            run = self._run_cut(points[middle], arrays[1], rows)
            problem = self._problem(points[middle], expected, run, rows)
            good, bad, found = (middle, bad, found) if problem is None else (good, middle, problem)
        return self._between(points[good] if good >= 0 else None, points[bad], found)

    def record(
        self,
        *,
        problem: str,
        index: int | None = None,
        tensor: str = "",
        before: str = "",
        weights: tuple[str, ...] = (),
    ) -> BisectRecord:
        return BisectRecord(
            kernel_set=str(self._kernel_set),
            operator=index,
            op="" if index is None else self._graph.operators[index].name,
            tensor=tensor,
            problem=problem,
            before=before,
            operators=len(self._graph.operators),
            runs=self._runs,
            weights=weights,
        )

    def _check_can_be_told(self, reference: Model, points: Sequence[CutPoint]) -> None:
        numbers = [len(model.subgraphs[0].outputs) for model in (reference, self._candidate)]
        if numbers[0] != numbers[1]:
            raise _CannotTellError(f"the model has {numbers[1]} outputs instead of {numbers[0]}")
        if not points[-1].tensors:
            raise _CannotTellError("the models' outputs hold no numbers that could be compared")
        if len(points) == 1 and len(self._moving(-1, points[-1].operator)) > 1:
            raise _CannotTellError("the models share no operator before the last: neither by their order nor by name")

    def _run_reference(self, reference: Model, points: Sequence[CutPoint], samples: Sequence[Array]) -> FinishedRun:
        """Run the reference and keep what it has at the cut points."""
        tensors = tuple(dict.fromkeys(ours for point in points for ours, _ in point.tensors))
        run = self._run(cut(reference, after=len(reference.subgraphs[0].operators) - 1, outputs=tensors), samples)
        if not isinstance(run, FinishedRun):
            raise _CannotTellError(f"the reference {run.problem}")
        self._shown = dict(zip(tensors, run.outputs, strict=True))
        return run

    def _run_cut(self, point: CutPoint, samples: Sequence[Array], rows: _Rows) -> Run:
        outputs = [theirs for _, theirs in point.tensors]
        model = cut(self._candidate, after=point.operator, outputs=outputs, keep_state=rows.last > rows.first)
        return self._run(model, [array[rows.first : rows.last + 1] for array in samples])

    def _run(self, model: Model, samples: Sequence[Array]) -> Run:
        self._listener.progress("bisect", self._runs, self._most_runs)
        with self._model_path.open("wb") as file:
            model.write(file)
        run = run_model(self._model_path, samples, self._kernel_set, timeout_s=self._timeout_s)
        self._runs += 1
        self._listener.progress("bisect", self._runs, self._most_runs)
        return run

    def _problem(self, point: CutPoint, expected: FinishedRun, run: Run, rows: _Rows) -> _Problem | None:
        """What is wrong with a part of the candidate, at the earliest operator that shows it; None if nothing is."""
        if not isinstance(run, FinishedRun):
            return _Problem(point.operator, f"the model {run.problem}")
        found: list[_Problem] = []
        for (ours, theirs), answer in zip(point.tensors, run.outputs, strict=True):
            shown = _part(self._shown[ours], rows.compared, rows.last)
            answer = _part(answer, rows.compared - rows.first, rows.last - rows.first)
            count = rows.last - rows.compared + 1
            both = [replace(r, outputs=(output,), n_samples=count) for r, output in ((expected, shown), (run, answer))]
            try:
                (comparison,) = compare_outputs(both[0], both[1], stage=STAGE)
                check(comparison, self._tolerance, stage=STAGE)
            except VerificationError as error:
                found.append(_Problem(self._makers.get(theirs, point.operator), error.problem, theirs.name))
        return min(found, key=lambda problem: problem.operator, default=None)

    def _fewest_rows(self, end: CutPoint, expected: FinishedRun, run: Run) -> _Rows:
        """The samples that the search needs: those up to the first one that shows the problem, or that one alone."""
        stateful = is_stateful(self._candidate)
        if not isinstance(run, FinishedRun):
            last = _sample_of(run, expected.n_samples)
            if last and any(operator.name == ASSIGN_VARIABLE for operator in self._graph.operators):
                raise _CannotTellError(f"the model {run.problem}, with a state that no part of it would have")
            return _Rows(0, last, 0)
        for sample in range(expected.n_samples):
            so_far, alone = _Rows(0, sample, 0), _Rows(0, sample, sample)
            if not stateful and self._problem(end, expected, run, alone) is not None:
                return _Rows(sample, sample, sample)
            if stateful and self._problem(end, expected, run, so_far) is not None:
                return so_far if self._problem(end, expected, run, alone) is None else alone
        return _Rows(0, expected.n_samples - 1, 0)  # what is measured over all samples, no single one need show

    def _between(self, good: CutPoint | None, bad: CutPoint, problem: _Problem) -> BisectRecord:
        """The record of a search that ended between two cut points."""
        after = -1 if good is None else good.operator
        # What was right before, and is wrong with an operator more, is the work of that one.
        index = problem.operator if problem.operator > after else bad.operator
        operators, text = self._moving(after, index), problem.text
        if len(operators) > 1:
            text += f"; {len(operators)} operators lie between here and the last output that could be compared"
        outputs = self._graph.operators[index].outputs
        return self.record(
            problem=text,
            index=index,
            tensor=problem.tensor or next((tensor.name for tensor in outputs if tensor is not None), ""),
            before="" if good is None else good.tensors[0][1].name,
            weights=constants_read(self._graph, operators),
        )

    def _moving(self, after: int, until: int) -> list[Operator]:
        """The operators behind one index, up to another, whose outputs depend on the inputs."""
        moving = depends_on_input(self._graph)
        operators = self._graph.operators[after + 1 : until + 1]
        return [operator for operator in operators if not moving.isdisjoint(operator.outputs)]


def _sample_of(run: FailedRun | CrashedRun | TimedOutRun, n_samples: int) -> int:
    """The sample at which a run ended early; 0 where it did not come to any."""
    word, _, number = run.step.partition(" ")
    if word == "sample":
        return int(number)
    return n_samples - 1 if word == "exit" else 0


def _part(output: RunOutput, first: int, last: int) -> RunOutput:
    """What a run answered to some of its samples, the last one included."""
    if output.shapes is None:
        return replace(output, values=output.values[first : last + 1])
    sizes, shapes = [prod(shape) for shape in output.shapes], output.shapes[first : last + 1]
    values = output.values.reshape(-1)[sum(sizes[:first]) : sum(sizes[: last + 1])]
    if len(set(shapes)) == 1:
        return replace(output, values=values.reshape(len(shapes), *shapes[0]), shapes=None)
    return replace(output, values=values, shapes=shapes)


def _that_fit(points: Sequence[CutPoint], n_samples: int) -> tuple[tuple[CutPoint, ...], int]:
    """Cut points and a number of samples whose values take no more than may be kept."""
    for step in _steps(len(points)):
        kept = (*points[step - 1 : -1 : step], points[-1])
        size = _nbytes(ours for point in kept for ours, _ in point.tensors)
        if size <= MAX_KEPT_BYTES:
            return kept, max(1, min(n_samples, MAX_KEPT_BYTES // max(size, 1)))
    return (points[-1],), 1


def _steps(length: int) -> Iterable[int]:
    return (2**exponent for exponent in range(length.bit_length()))


def _nbytes(tensors: Iterable[Tensor]) -> int:
    """Bytes that one sample's values of these take."""
    return sum(prod(max(1, size) for size in tensor.shape) * tensor.dtype().itemsize for tensor in set(tensors))


def _fitted(samples: Samples, reference: Model, candidate: Model) -> tuple[list[Array], list[Array]]:
    """The samples as the reference and as the candidate take them; random ones mean the same to both.

    Raises:
        CalibrationDataError: they do not fit the reference.
    """
    wanted, given = _inputs(reference), _inputs(candidate)
    ours = fit_samples(samples, wanted)
    by_position = [info.dequantize(a) if info.is_quantized else a for info, a in zip(wanted, ours, strict=True)]
    try:
        return list(ours), list(fit_samples(by_position if isinstance(samples, RandomSamples) else samples, given))
    except CalibrationDataError:  # they fit the reference; the names may be others
        try:
            return list(ours), list(fit_samples(by_position, given))
        except CalibrationDataError as error:
            raise _CannotTellError(f"the inputs are not the reference's: {error}") from error


def _inputs(model: Model) -> list[TensorInfo]:
    graph: Subgraph = model.subgraphs[0]
    names: dict[Tensor, str] = {}
    if model.signatures is not None and len(model.signatures) == 1:
        for entry in model.signatures[0].inputs:
            raw = entry.fields.name
            names[entry.tensor] = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")
    return [tensor.info(names.get(tensor, "")) for tensor in graph.inputs if tensor is not None]
