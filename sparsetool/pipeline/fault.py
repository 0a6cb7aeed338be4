"""Which weight is at fault where a stage's verification or a gate breaks, so that it can stay as it was."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from sparsetool.pipeline.bisecting import bisect
from sparsetool.pipeline.conversion import ENCODE, QUANTIZE, Conversion, Stage
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.output_gates import BrokenGateError, output_gates
from sparsetool.pipeline.proof import Prover, tolerance_of
from sparsetool.report.records import KeptRecord
from sparsetool.verify import KernelSet, Tolerance, compare_all
from sparsetool.verify.verification import Problem
from sparsetool.verify.weight_comparison import compare_weights
from sparsetool_converters.errors import SparseToolError, VerificationError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.passes.kept_zeros import QuantizedWeight
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import Target

Fails = Callable[[bytes], bool]


class Blame:
    """Names the weight at fault in one conversion.

    Args:
        conversion: the stages.
        quantize: the recipe that was asked for.
        limits: the gates on outputs.
        prover: runs models.
        target: the runtime that the result is for.
        listener: hears of progress.
    """

    def __init__(
        self,
        conversion: Conversion,
        quantize: str,
        limits: Tolerance,
        *,
        prover: Prover,
        target: Target,
        listener: Listener | None = None,
    ) -> None:
        self._conversion, self._quantize, self._limits = conversion, quantize, limits
        self._prover, self._target, self._listener = prover, target, listener or Silence()

    def named(self, problem: VerificationError) -> KeptRecord | None:
        """The weight that should stay as it was; None if no single weight of the stage is at fault."""
        if isinstance(problem, BrokenGateError):
            return self._of_gate(problem)
        if problem.stage == ENCODE and self._has(ENCODE):
            return self._encoded(problem, self._fails_encoded, self._named_by_stage(ENCODE))
        if problem.stage == QUANTIZE and self._has(QUANTIZE):
            return self._quantized(problem, self._named_by_stage(QUANTIZE))
        return None

    def _of_gate(self, problem: BrokenGateError) -> KeptRecord | None:
        result = self._conversion.result
        if self._has(ENCODE):
            result = self._both(ENCODE)[0].data
            if not self._breaks_gate(result):
                return self._encoded(problem, self._breaks_gate, ())
        if not self._has(QUANTIZE) or problem.kernel_set is None:
            return None
        source = self._conversion.stages[0].data
        return self._quantized(problem, self._bisected(source, result, problem.kernel_set, self._limits))

    def _encoded(self, problem: VerificationError, fails: Fails, named: Sequence[str]) -> KeptRecord | None:
        """Of the encoded weights: the only one that was named, or the first that fails alone."""
        plan = self._conversion.plan
        encoded = [] if plan is None else list(dict.fromkeys(decision.name for decision in plan.encoded()))
        candidates = [name for name in encoded if name in named] or encoded
        at_fault = (
            candidates[0] if len(candidates) == 1 else next(filter(self._alone(fails, encoded), candidates), None)
        )
        if at_fault is None:
            return None
        return KeptRecord(tensor=at_fault, stage=ENCODE, reason=f"encoded, it breaks {_told(problem)}")

    def _alone(self, fails: Fails, encoded: Sequence[str]) -> Callable[[str], bool]:
        """Whether the model fails with one weight encoded and all others dense."""
        plan = self._conversion.plan
        assert plan is not None  # it has encoded something
        dense, objective = self._both(ENCODE)[0].data, plan.objective

        def check(name: str) -> bool:
            model = Model.from_bytes(dense)
            EncodeSparse(
                make_plan(model, self._target, objective, kept=dict.fromkeys(set(encoded) - {name}, "left out"))
            )(model)
            return fails(model.to_bytes())

        return check

    def _quantized(self, problem: VerificationError, named: Sequence[str]) -> KeptRecord | None:
        """Of the quantized weights, or of those that were named: the one that quantization hurts most."""
        before, after = self._both(QUANTIZE)
        changed = {_source_name(c.tensor) for c in after.changes if isinstance(c, QuantizedWeight)}
        noise = {
            weight.name: weight.sqnr_db
            for weight in compare_weights(before.data, after.data).records
            if weight.name in changed and weight.sqnr_db is not None
        }
        candidates = noise.keys() & set(map(_source_name, named)) or noise.keys()
        if not candidates:
            return None
        worst = min(sorted(candidates), key=lambda name: noise[name])
        reason = f"its quantized values have {noise[worst]:.1f} dB of signal over noise, and break {_told(problem)}"
        return KeptRecord(tensor=worst, stage=QUANTIZE, reason=reason)

    def _fails_encoded(self, model: bytes) -> bool:
        return bool(self._problems(self._both(ENCODE)[0], Stage(name=ENCODE, data=model)))

    def _problems(self, before: Stage, after: Stage) -> tuple[Problem, ...]:
        kernel_sets, tolerance = tolerance_of(before, after, self._quantize)
        runs = [self._prover.runs(stage.data, f"blame {after.name}", kernel_sets) for stage in (before, after)]
        return compare_all(runs[0], runs[1], tolerance=tolerance).problems

    def _named_by_stage(self, name: str) -> Sequence[str]:
        """Constants at which the stage's result begins to differ, on the first kernel set where it does."""
        before, after = self._both(name)
        problems = self._problems(before, after)
        if not problems:
            return ()
        _, tolerance = tolerance_of(before, after, self._quantize)
        return self._bisected(before.data, after.data, problems[0].kernel_set, tolerance)

    def _bisected(
        self, reference: bytes, candidate: bytes, kernel_set: KernelSet, tolerance: Tolerance
    ) -> Sequence[str]:
        try:
            return bisect(
                reference,
                candidate,
                self._prover.samples,
                kernel_set=kernel_set,
                tolerance=tolerance,
                timeout_s=self._prover.timeout_s,
                listener=self._listener,
            ).weights
        except SparseToolError:  # a model that cannot be cut names nothing
            return ()

    def _breaks_gate(self, model: bytes) -> bool:
        source = self._conversion.stages[0].data
        try:
            output_gates(source, model, self._limits, prover=self._prover, target=self._target, name="blame")
        except VerificationError:
            return True
        return False

    def _has(self, name: str) -> bool:
        return any(stage.name == name for stage in self._conversion.stages[1:])

    def _both(self, name: str) -> tuple[Stage, Stage]:
        """The stage before one, and that one."""
        return next(pair for pair in pairwise(self._conversion.stages) if pair[1].name == name)


def _source_name(quantized: str) -> str:
    """A weight's name before the quantizer wrote it once more for another reader."""
    return quantized.removesuffix("_duplicated")


def _told(problem: VerificationError) -> str:
    return str(problem) if isinstance(problem, BrokenGateError) else f"verification: {problem}"
