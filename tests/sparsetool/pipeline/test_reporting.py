"""A folder of results to a report: what is read, measured once, and said where something is missing."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hand_made_report import hand_made_report
from models_in_memory import mlp

from sparsetool.pipeline.reporting import MEASURED, PAGE, RUN, report_run
from sparsetool.report.records import RunRecord, Sizes, as_json
from sparsetool_converters.codec import pack
from sparsetool_converters.errors import ModelFormatError, OutputError, VerificationError
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.weights import weight_sites


@pytest.fixture
def finished(tmp_path):
    """A run of two models, the second pruned, without training."""
    weight = np.random.default_rng(3).normal(size=(32, 64)).astype(np.float32)
    models = {"dense": mlp([weight]), "small": mlp([np.where(np.abs(weight) > 1, weight, 0).astype(np.float32)])}
    artifacts = []
    for artifact in hand_made_report().run.artifacts:
        data = models[artifact.name]
        (tmp_path / f"{artifact.name}.tflite").write_bytes(data)
        artifacts.append(replace(artifact, sizes=Sizes.of(data, pack(data))))
    write(tmp_path, RunRecord(recipe="toy", training=None, artifacts=tuple(artifacts)))
    return tmp_path


def write(folder, run):
    (folder / RUN).write_text(json.dumps(as_json("run", run)))


class Bench:
    """Answers with the figures of the hand-made record, and counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, reference, candidate, *, names, listener):
        self.asked.append(names)
        return hand_made_report().measured[0].bench


def test_a_second_report_measures_nothing_and_has_the_same_bytes(finished):
    bench = Bench()
    first = report_run(finished, bench=bench)
    page, measured = first.page.read_bytes(), (finished / MEASURED).read_bytes()
    again = report_run(finished, bench=bench)
    assert bench.asked == [("dense", "small")]
    assert again.record == first.record
    assert (again.page.read_bytes(), (finished / MEASURED).read_bytes()) == (page, measured)
    assert first.record.measured[0].bench == hand_made_report().measured[0].bench


def test_another_model_is_measured_anew_and_a_damaged_memory_too(finished):
    bench = Bench()
    report_run(finished, bench=bench)
    (finished / MEASURED).write_text("{")
    report_run(finished, bench=bench)
    path = finished / "small.tflite"
    data = path.read_bytes()
    path.write_bytes(data[:-4] + bytes(4) if data[-4:] != bytes(4) else data[:-8] + b"abcdefgh")
    report_run(finished, bench=bench)
    assert len(bench.asked) == 3


def test_zeros_of_layers_are_drawn_from_the_file(finished):
    page = report_run(finished, bench=None).page.read_text()
    assert page.count('<img src="data:image/png') == 1  # the dense model has no zeros


def test_what_fails_or_is_missing_is_said_on_the_page(finished):
    def failing(reference, candidate, *, names, listener):
        raise VerificationError("bench", "", "ended with signal 11")

    record = report_run(finished, bench=failing)
    assert "small was not measured: bench: ended with signal 11" in record.page.read_text()
    assert not (finished / MEASURED).exists()
    (finished / "small.tflite").unlink()
    assert "The model small is neither drawn nor measured" in report_run(finished, bench=Bench()).page.read_text()


def test_a_model_of_another_run_is_not_taken_for_the_recorded_one(finished):
    (finished / "small.tflite").write_bytes(b"x")
    (problem,) = report_run(finished, bench=Bench()).record.missing
    assert "the file has 1 bytes" in problem
    assert "it is of another run" in problem


def test_a_packed_model_is_as_good(finished):
    path = finished / "small.tflite"
    (finished / "small.tflz").write_bytes(pack(path.read_bytes()))
    path.unlink()
    assert report_run(finished, bench=Bench()).record.missing == ()


def test_a_record_cannot_ask_for_files_outside_the_folder(finished):
    run = hand_made_report(trained=False).run
    write(finished, replace(run, artifacts=(replace(run.artifacts[0], name="../../secret"),)))
    assert "is no name of a file in the folder" in report_run(finished, bench=None).record.missing[0]


def test_nothing_is_replaced_unasked_but_the_folders_own_page(finished, tmp_path):
    other = tmp_path / "other.html"
    other.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        report_run(finished, other, bench=None)
    assert other.read_text() == "mine"
    report_run(finished, other, bench=None, force=True)
    assert other.read_text().startswith("<!doctype html>")
    (finished / PAGE).write_text("old")
    assert report_run(finished, bench=None).page.read_text() != "old"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory; make one with sparsetool run"),
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("[]", "is no JSON document of the kind 'run'"),
        ('{"kind": "inspect"}', "is no JSON document of the kind 'run'"),
        ('{"kind": "run", "schema_version": 99}', "is of schema version 99; this sparsetool reads version 1"),
        ('{"kind": "run", "schema_version": 1, "recipe": 3}', "is damaged: recipe"),
        ('{"kind": "run", "schema_version": 1, "recipe": "a", "training": null, "artifacts": []}', "tells of no model"),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path, content, problem):
    if content is not None:
        (tmp_path / RUN).write_text(content)
    with pytest.raises(ModelFormatError, match=problem):
        report_run(tmp_path, bench=None)
    assert not (tmp_path / PAGE).exists()


def test_a_number_that_was_none_is_read_back_as_none(finished):
    run = json.loads((finished / RUN).read_text())
    run["artifacts"][1]["tensors"][0]["sparsity"] = None
    (finished / RUN).write_text(json.dumps(run))
    made = report_run(finished, bench=None)
    assert np.isnan(asdict(made.record)["run"]["artifacts"][1]["tensors"][0]["sparsity"])
    assert "not finite" in made.page.read_text()


@pytest.mark.slow
def test_page_of_the_largest_model_can_be_sent_by_mail(published_model, tmp_path):
    """Every weight with random zeros, which compress worst."""
    model = Model.from_bytes(published_model("selfie_multiclass_256x256.tflite").read_bytes())
    rng, tensors = np.random.default_rng(5), []
    for site in weight_sites(model):
        values = np.where(rng.random(site.tensor.shape) < 0.5, site.tensor.array(), 0).astype(site.tensor.dtype())
        site.tensor.buffer = Buffer(site.tensor.payload_of(values))
        example = hand_made_report().run.artifacts[1].tensors[0]
        tensors.append(replace(example, name=site.tensor.name, shape=site.tensor.shape, reason="x" * 300))
    data = model.to_bytes()
    artifacts = []
    for index in range(9):
        (tmp_path / f"model {index}.tflite").write_bytes(data)
        sizes = Sizes(disk=len(data), gzip=1, zstd=2, wire=3)
        made = replace(hand_made_report().run.artifacts[1], name=f"model {index}", sizes=sizes, tensors=tuple(tensors))
        artifacts.append(made)
    write(tmp_path, RunRecord(recipe="selfie", training=None, artifacts=tuple(artifacts)))
    page = report_run(tmp_path, bench=None).page
    assert page.stat().st_size < 2_000_000
    assert page.read_text().count("data:image/png") >= 24
