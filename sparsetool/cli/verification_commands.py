"""The command that proves that two models are the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsetool.cli.options import Force, Json, SamplesFile, Timeout, screen
from sparsetool.cli.screen import show, show_json
from sparsetool_converters.errors import UsageError

if TYPE_CHECKING:
    from sparsetool.pipeline.repetition import Question
    from sparsetool.report.verification_record import VerificationRecord

VERIFY_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool verify dense.tflite small.tflz --samples samples.npz\n"
    ""
    "  sparsetool verify model.keras int8.tflite --samples x.npy --labels y.npy --max-drop 0.5%\n"
    "  sparsetool verify dense.tflite small.tflite --bisect\n"
    "  sparsetool verify dense.tflite small.tflite --certificate small.json\n"
    "  sparsetool verify --against small.json\n"
)


def verify(
    reference: Annotated[
        Path | None,
        typer.Argument(help="The model to trust: .tflite, .tflz, .tflite.zst, .keras or a SavedModel folder."),
    ] = None,
    candidate: Annotated[Path | None, typer.Argument(help="The model to check, likewise.")] = None,
    samples: SamplesFile = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Largest error allowed, as a share of the output's largest value; weights may then differ, too.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="The right answer of each sample, .npy or file.py:function, for accuracy or --metric."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Instead of accuracy: file.py:function of (outputs, labels), the larger the better."),
    ] = None,
    max_drop: Annotated[
        str | None,
        typer.Option(help="The most that accuracy or the metric may fall, 0.5% or 0.005; all else may then differ."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="litert, portable or tflm; by default tflm if a model is stored for it, else litert."),
    ] = None,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Name the first operator whose output leaves the tolerance.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="A JSON file for everything that was found; the same bytes for the same models.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Repeat the verification of a certificate; files that are not named are looked for beside it."
        ),
    ] = None,
    force: Force = False,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Say whether two models are the same: weights without a runtime, outputs on every kernel set.

    Weights must be equal, or what rounding makes of the reference's. Outputs must agree to 1e-5 of their largest value,
    or, if the candidate is quantized otherwise than the reference, to 10 dB of signal over noise; 3 dB for 4-bit
    weights, 1 dB for 2-bit ones. --tolerance or --max-drop ask for something else instead. Exit code 4 if the candidate
    fails, crashes or does not end, 6 if the target cannot run it.
    """
    screen.hush()
    from sparsetool.pipeline.repetition import Question, answer

    question = Question(
        reference=reference,
        candidate=candidate,
        samples=samples,
        labels=labels,
        metric=metric,
        max_drop=max_drop,
        tolerance=tolerance,
        target=target,
        bisect=bisect,
        timeout_s=timeout,
    )
    if against is not None:
        if certificate is not None:
            raise UsageError("--against repeats a certificate and --certificate writes one; leave one of them out")
        _repeat(against, question, as_json=as_json)
        return
    from sparsetool.pipeline.certificate import KIND, write_certificate
    from sparsetool.pipeline.outputs import check_destination
    from sparsetool.report.records import as_json as to_json

    if certificate is not None:
        check_destination(certificate, force=force)
    record = answer(question, listener=screen)
    if certificate is not None:
        write_certificate(record, certificate)
    if as_json:
        show_json(to_json(KIND, record))
    else:
        _show(record)
    _end(record.exit_code, "" if record.verdict == "pass" else str(record.findings[0]), len(record.findings))


def _repeat(certificate: Path, question: "Question", *, as_json: bool) -> None:
    from sparsetool.pipeline.repetition import repeat
    from sparsetool.report.records import as_json as to_json

    repetition = repeat(certificate, question, listener=screen)
    if as_json:
        show_json(to_json("verify against", repetition))
    else:
        _show(repetition.found)
        show(*(f"note: {note}" for note in repetition.notes))
        show(*(f"differs: {line}" for line in repetition.differences))
        ours = "every figure" if not repetition.notes else "the verdict"
        show(f"repeated: {ours} of {certificate.name}" if repetition.repeated else f"not as in {certificate.name}")
    record = repetition.found
    first = repetition.differences[0] if repetition.differences else str(next(iter(record.findings), ""))
    _end(repetition.exit_code, first, len(repetition.differences) or len(record.findings))


def _show(record: "VerificationRecord") -> None:
    from sparsetool.report.verification_tables import outputs_of_pair, verification_lines, weights_of_pair

    show(weights_of_pair(record.weights))
    if record.outputs:
        show(outputs_of_pair(record.outputs))
    show(*verification_lines(record))


def _end(exit_code: int, first: str, count: int) -> None:
    if exit_code:
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        screen.error(f"verify: {first}{more}")
        raise typer.Exit(exit_code)
