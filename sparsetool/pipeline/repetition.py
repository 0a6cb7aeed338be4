"""A verification as the command line asks for it, and its repetition by a certificate."""

from dataclasses import dataclass, replace
from pathlib import Path

from sparsetool.pipeline.certificate import RepetitionRecord, held_against, read_certificate
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.identity import sha256_of
from sparsetool.pipeline.pair_outputs import Task
from sparsetool.pipeline.request import TIMEOUT_S
from sparsetool.pipeline.sample_source import labels_named, samples_named
from sparsetool.pipeline.task_metric import load_metric
from sparsetool.pipeline.verify_pair import RANDOM, verify_pair
from sparsetool.report.verification_record import ModelIdentity, VerificationRecord
from sparsetool.shares import parse_share
from sparsetool_converters.errors import CalibrationDataError, UsageError, VerificationError


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked on the command line, each by the option's name; None for what was left out."""

    reference: Path | None
    candidate: Path | None
    samples: str | None = None
    labels: str | None = None
    metric: str | None = None
    max_drop: str | None = None
    tolerance: float | None = None
    target: str | None = None
    bisect: bool = False
    timeout_s: float = TIMEOUT_S


def answer(question: Question, *, listener: Listener) -> VerificationRecord:
    """Compare the two models that are named.

    Raises:
        UsageError: one is not named.
        SparseToolError: see `verify_pair`.
    """
    if question.reference is None or question.candidate is None:
        raise UsageError("name two models, the one to trust and the one to check; or a certificate with --against")
    return verify_pair(
        question.reference,
        question.candidate,
        samples=None if question.samples is None else samples_named(question.samples),
        samples_name="" if question.samples is None else _name(question.samples),
        tolerance=question.tolerance,
        task=_task(question),
        target=question.target,
        bisect=question.bisect,
        timeout_s=question.timeout_s,
        asked={name: None if text is None else _name(text) for name, text in _named(question).items()},
        listener=listener,
    )


def _named(question: Question) -> dict[str, str | None]:
    return {"labels": question.labels, "metric": question.metric}


def _task(question: Question) -> Task | None:
    """What the models are for, if labels were given.

    Raises:
        UsageError: a metric or a limit without labels, or labels that are no single array.
    """
    if question.labels is None:
        if question.metric is not None or question.max_drop is not None:
            raise UsageError("--metric and --max-drop need the right answers: name them with --labels")
        return None
    if question.samples is None:
        raise UsageError("--labels are those of the samples: name these with --samples")
    return Task(
        labels=labels_named(question.labels),
        metric=None if question.metric is None else load_metric(question.metric, Path()),
        max_drop=None if question.max_drop is None else parse_share(question.max_drop),
    )


def repeat(path: Path, question: Question, *, listener: Listener) -> RepetitionRecord:
    """Repeat the verification of a certificate, with its own settings.

    Args:
        path: the certificate.
        question: where the models and the samples are; those that are left out have the certificate's names and lie
            beside it. Its other settings do not count.
        listener: hears of progress.

    Raises:
        ModelFormatError: the certificate cannot be read.
        UsageError: a file is not there.
        VerificationError: a file is not the one of which the certificate tells.
    """
    certificate = read_certificate(path)
    home = path.parent
    reference = _certified(question.reference or home / certificate.reference.name, certificate.reference)
    candidate = _certified(question.candidate or home / certificate.candidate.name, certificate.candidate)
    recorded = {**certificate.settings, "samples": None if certificate.data.name == RANDOM else certificate.data.name}
    given = {"samples": question.samples, **_named(question)}
    files = {name: text or _beside(home, _text(recorded.get(name)), name) for name, text in given.items()}
    settings = certificate.settings
    found = answer(
        replace(
            question,
            reference=reference,
            candidate=candidate,
            **files,
            max_drop=None if settings.get("max_drop") is None else str(settings.get("max_drop")),
            tolerance=_number(settings.get("tolerance")),
            target=_text(settings.get("target")),
            bisect=bool(settings.get("bisect")),
            timeout_s=_number(settings.get("timeout_s")) or TIMEOUT_S,
        ),
        listener=listener,
    )
    return held_against(certificate, found, name=path.name)


def _beside(home: Path, name: str | None, option: str) -> str | None:
    """The file of this name beside the certificate; None if the certificate names none."""
    if name is None:
        return None
    file = name.rpartition(":")[0] if ".py:" in name else name
    if not (home / file).exists():
        kind = option if option.endswith("s") else f"{option}s"
        raise CalibrationDataError(f"{home / file}: there are no {kind} of this name; name them with --{option}")
    return str(home / name)


def _certified(path: Path, identity: ModelIdentity) -> Path:
    """The path, if it is the file of which the certificate tells."""
    if not path.exists():
        raise UsageError(f"{path}: no such file; name the models after the options, as in verify A B --against FILE")
    digest = sha256_of(path)
    if digest != identity.file_sha256:
        raise VerificationError(
            "certificate", path.name, f"is another file: SHA-256 {digest[:16]}..., not {identity.file_sha256[:16]}..."
        )
    return path


def _name(samples: str) -> str:
    """What the samples came from, without its folder: "samples.npz" or "data.py:samples"."""
    file, colon, function = samples.rpartition(".py:")
    return f"{Path(file).name}{colon}{function}" if colon else Path(samples).name


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
