"""Verify a conversion: each stage against the stage before, on every kernel set.

What is stored for TFLM_DECODE runs on the micro runtime alone. There it must answer bit for bit as the dense model does
there; and that one must answer as it does on LiteRT, where all stages before were verified.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from sparsetool.pipeline.conversion import COMPACT, COMPACT_QUANTIZED, DENSIFY, ENCODE, QUANTIZE, Conversion, Stage
from sparsetool.pipeline.events import Listener
from sparsetool.report.records import AgreementRecord, OutputRecord
from sparsetool.verify import (
    IDENTICAL,
    Agreement,
    FinishedRun,
    KernelSet,
    OutputComparison,
    OutputVerification,
    Run,
    Tolerance,
    compare_runs,
    micro_runtime_installed,
    run_on_kernel_sets,
)
from sparsetool.verify.structure import check_structure
from sparsetool.verify.weights import check_constants
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.passes.kept_zeros import QuantizedWeight
from sparsetool_converters.passes.mend_scales import INTEGERS
from sparsetool_converters.passes.recipes import recipe_named
from sparsetool_converters.samples import RandomSamples, Samples, fit_samples
from sparsetool_converters.targets import LITERT, LITERT_KERNEL_SETS, MICRO_KERNEL_SETS, Target
from sparsetool_converters.targets.lint import lint_errors
from sparsetool_converters.weights import WeightUse, weight_sites

# Exact stages change no number but the order of a float sum: unencoded and encoded weights go through kernels that
# add up differently. Measured at most 1e-6 of the largest value; integers differ by at most one step.
EXACT = Tolerance(max_relative_error=1e-5, max_lsb=1)
# A constant channel that a bias takes in is added first instead of somewhere in the middle, layer after layer.
# Measured at most 6e-6 on a model that loses 2,712 channels. Where all weights work on integers, nothing changes.
COMPACTED = Tolerance(max_relative_error=1e-4, max_lsb=1)
# A hybrid operator quantizes its input on the fly, so that a rounding of 1e-7 before it may move a value by a whole
# step; and builtin kernels that are told to do it asymmetrically, as XNNPACK does, give other numbers than before.
# Measured 0.5 % of the largest value.
HYBRID = Tolerance(max_relative_error=2e-2)
# The micro runtime has kernels of its own, made from LiteRT's reference kernels. Measured: identical on all published
# models that it runs; what is left is for other libraries' exp and tanh.
MICRO = Tolerance(max_relative_error=1e-3, max_lsb=2)
MICRO_STAGE = "micro runtime"
# Lossy by nature: these only catch a model that is broken, whose outputs have nothing to do with the right ones. What
# a model may lose is for accuracy to say. By the bits of the narrowest weight.
LOSSY: Mapping[int, Tolerance] = {
    16: Tolerance(min_sqnr_db=30.0),
    8: Tolerance(min_sqnr_db=10.0),
    4: Tolerance(min_sqnr_db=3.0),
    2: Tolerance(min_sqnr_db=1.0),
}

_BITS = {"INT8": 8, "INT4": 4, "INT2": 2}


class Prover:
    """Runs models on the same samples and remembers the runs, since one stage's result is the next one's reference.

    Args:
        samples: what to run; random ones are made for the first model and mean the same to every other.
        timeout_s: seconds for one run on one kernel set.
        listener: hears of progress.
    """

    def __init__(self, samples: Samples, *, timeout_s: float, listener: Listener) -> None:
        self._samples, self._timeout_s, self._listener = samples, timeout_s, listener
        self._runs: dict[tuple[str, tuple[KernelSet, ...]], dict[KernelSet, Run]] = {}

    def prove(
        self, conversion: Conversion, quantize: str, *, name: str, target: Target = LITERT
    ) -> tuple[tuple[OutputRecord, ...], tuple[str, ...]]:
        """Verify each stage of a conversion.

        Args:
            conversion: the stages.
            quantize: the recipe that was asked for.
            name: the artifact, for progress and notes.
            target: the runtime that the result is for.

        Returns:
            What was measured, and the kernel sets that could not be compared, with the reason.

        Raises:
            VerificationError: naming the first stage and tensor that is not right.
            TargetError: the source model runs on no kernel set.
        """
        records: list[OutputRecord] = []
        skipped: dict[str, None] = {}
        stages = conversion.stages
        if len(stages) == 1:  # nothing to compare, but what does not run must not pass
            runs = self.runs(stages[0].data, f"verify {name}")
            verified = compare_runs(runs, runs, tolerance=EXACT, stage=stages[0].name)
            records += output_records(stages[0].name, verified.comparisons)
            skipped |= dict.fromkeys(_skipped(verified))
        for before, after in pairwise(stages):
            lossy = after.name == QUANTIZE
            check_structure(before.data, after.data, stage=after.name, same_types=not lossy)
            if after.name in (DENSIFY, "canonicalize", ENCODE):
                check_constants(before.data, after.data, stage=after.name, signed_zeros=after.name != "canonicalize")
            if after.name == DENSIFY and (doubt := self._check_without_reference(before, after, name)):
                skipped[doubt] = None
                continue
            kernel_sets = kernel_sets_for(before.data, after.data)
            tolerance = _lossy(quantize, after) if lossy else _lossless_tolerance(before.data, after.name)
            verified = compare_runs(
                self.runs(before.data, f"verify {name}", kernel_sets),
                self.runs(after.data, f"verify {name}", kernel_sets),
                tolerance=IDENTICAL if kernel_sets is MICRO_KERNEL_SETS else tolerance,
                stage=after.name,
            )
            records += output_records(after.name, verified.comparisons)
            skipped |= dict.fromkeys(_skipped(verified))
        dense = [stage.data for stage in stages if not has_decode(Model.from_bytes(stage.data))]
        if target.kernel_sets == MICRO_KERNEL_SETS and dense:
            records += self._check_micro_runtime(dense[-1], name)
        return tuple(records), tuple(skipped)

    def _check_micro_runtime(self, dense: bytes, name: str) -> tuple[OutputRecord, ...]:
        """Compare the last dense model on the micro runtime with the same on LiteRT's reference kernels."""
        references = [run for run in self.runs(dense, f"verify {name}").values() if isinstance(run, FinishedRun)]
        runs = self.runs(dense, f"verify {name}", MICRO_KERNEL_SETS)
        # Where LiteRT runs it on no kernel set, running it must do.
        reference = replace(references[-1], kernel_set=KernelSet.MICRO) if references else runs[KernelSet.MICRO]
        if not isinstance(runs[KernelSet.MICRO], FinishedRun):
            compare_runs(runs, runs, tolerance=MICRO, stage=MICRO_STAGE)  # tells why
        verified = compare_runs({KernelSet.MICRO: reference}, runs, tolerance=MICRO, stage=MICRO_STAGE)
        return output_records(MICRO_STAGE, verified.comparisons)

    def _check_without_reference(self, before: Stage, after: Stage, name: str) -> str:
        """If the runtime may get the sparse source wrong: why, once the dense model is known to run; else empty.

        The weights have been compared bit by bit, and the dense model is the reference of the stages to come.
        """
        source = Model.from_bytes(before.data)
        if has_decode(source) and micro_runtime_installed():
            return ""
        doubts = lint_errors(source, LITERT)
        if not doubts:
            return ""
        runs = self.runs(after.data, f"verify {name}")
        compare_runs(runs, runs, tolerance=EXACT, stage=after.name)
        more = f" (and {len(doubts) - 1:,} more)" if len(doubts) > 1 else ""
        doubt = f"outputs of the source are no reference: {doubts[0]}{more}; its weights were compared"
        self._listener.note(f"{name}: {doubt}")
        return doubt

    def runs(self, model: bytes, task: str, kernel_sets: tuple[KernelSet, ...] | None = None) -> dict[KernelSet, Run]:
        """The model's runs on each kernel set, by default those that can run it, from memory if it ran before."""
        kernel_sets = kernel_sets or kernel_sets_for(model)
        key = hashlib.sha256(model).hexdigest(), kernel_sets
        if key not in self._runs:
            with tempfile.TemporaryDirectory(prefix="sparsetool-model-") as folder:
                path = Path(folder, "model.tflite")
                path.write_bytes(model)
                runs = run_on_kernel_sets(
                    path,
                    self._samples,
                    kernel_sets=kernel_sets,
                    timeout_s=self._timeout_s,
                    on_progress=lambda done, total: self._listener.progress(task, done, total),
                )
            self._runs[key] = runs
            self._fix_samples(runs)
        return self._runs[key]

    def _fix_samples(self, runs: Mapping[KernelSet, Run]) -> None:
        """After the first model ran on random samples: keep their real values for the models to come."""
        finished = [run for run in runs.values() if isinstance(run, FinishedRun)]
        if not isinstance(self._samples, RandomSamples) or not finished:
            return
        inputs = finished[0].inputs
        arrays = fit_samples(self._samples, inputs)
        self._samples = [info.dequantize(a) if info.is_quantized else a for info, a in zip(inputs, arrays, strict=True)]


def _lossy(quantize: str, stage: Stage) -> Tolerance:
    """What the narrowest weight may lose, of the recipe and of what became of single layers."""
    types = [c.type_after for c in stage.changes if isinstance(c, QuantizedWeight)]
    return LOSSY[min(recipe_named(quantize).weight_bits, narrowest(types))]


def narrowest(types: Iterable[str]) -> int:
    """Bits of the narrowest of these element types, 16 for all that are not integers."""
    return min((_BITS.get(name, 16) for name in types), default=16)


def kernel_sets_for(*models: bytes) -> tuple[KernelSet, ...]:
    """The kernel sets that can run all of these models."""
    decodes = any(has_decode(Model.from_bytes(model)) for model in models)
    return MICRO_KERNEL_SETS if decodes else LITERT_KERNEL_SETS


def _skipped(verified: OutputVerification) -> tuple[str, ...]:
    return tuple(f"{s.kernel_set}: {s.problem}" for s in verified.skipped)


def _lossless_tolerance(model: bytes, stage: str) -> Tolerance:
    uses = [site.use for site in weight_sites(Model.from_bytes(model))]
    if any(_quantizes_on_the_fly(use) for use in uses):
        return HYBRID
    if stage not in (COMPACT, COMPACT_QUANTIZED):
        return EXACT
    return COMPACTED if any(use.activation == "FLOAT32" for use in uses) else IDENTICAL


def is_hybrid(model: bytes) -> bool:
    """Whether some operator computes in integers on float activations."""
    return any(_quantizes_on_the_fly(site.use) for site in weight_sites(Model.from_bytes(model)))


def _quantizes_on_the_fly(use: WeightUse) -> bool:
    return use.weight in INTEGERS and (use.activation, use.dequantized) == ("FLOAT32", False)


def _agreement(found: Agreement | None) -> AgreementRecord | None:
    if found is None:
        return None
    return AgreementRecord(agreeing=found.agreeing, samples=found.decisions, low=found.low, high=found.high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def output_records(stage: str, comparisons: Sequence[OutputComparison]) -> tuple[OutputRecord, ...]:
    """What was compared, as records for reports."""
    return tuple(
        OutputRecord(
            stage=stage,
            kernel_set=str(c.kernel_set),
            signature=c.signature,
            output=c.output,
            samples=c.n_samples,
            identical=c.identical,
            max_abs_error=_finite(c.max_abs_error),
            relative_error=_finite(c.relative_error),
            sqnr_db=_finite(c.sqnr_db),
            cosine=c.cosine,
            kl_divergence=c.kl_divergence,
            top1=_agreement(c.top1),
            top5=_agreement(c.top5),
            nan=c.nan,
            infinite=c.infinite,
        )
        for c in comparisons
    )
