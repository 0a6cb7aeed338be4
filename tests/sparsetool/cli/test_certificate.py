"""What a verification found as a file: always the same bytes, and it can be repeated."""

import json

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence

RNG = np.random.default_rng(23)
WEIGHTS = [RNG.normal(size=(32, 16)) * (RNG.random((32, 16)) > 0.6), RNG.normal(size=(8, 32))]
DENSE = mlp(WEIGHTS)
SAMPLES = RNG.random((6, 16), np.float32)


def quantized():
    settings = Settings(quantize="int8")
    return convert(DENSE, settings, calibration=SAMPLES, where="model", listener=Silence()).result


PAIRS = {
    "equal": (lambda: DENSE, 0),
    "quantized": (quantized, 0),
    "failing": (lambda: mlp([WEIGHTS[0], -WEIGHTS[1]]), 4),
}


def placed(folder, candidate=DENSE):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dense.tflite").write_bytes(DENSE)
    (folder / "small.tflite").write_bytes(candidate)
    np.save(folder / "samples.npy", SAMPLES)


@pytest.mark.parametrize("pair", PAIRS)
def test_two_runs_write_the_same_bytes_and_either_can_be_repeated(sparsetool, tmp_path, pair):
    make, code = PAIRS[pair]
    for folder, environment in (
        ("one", {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C"}),
        ("an/other folder", {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8"}),
    ):
        placed(tmp_path / folder, make())
        names = [f"{folder}/{name}" for name in ("dense.tflite", "small.tflite", "samples.npy", "proof.json")]
        done = sparsetool(
            "verify", *names[:2], "--samples", names[2], "--certificate", names[3], "--json", **environment
        )
        assert done.code == code, done.err
        written = json.loads((tmp_path / names[3]).read_text())
        assert (written["kind"], written["exit_code"]) == ("verify", code)
        assert {key: written[key] for key in ("verdict", "findings")} == {
            key: done.json[key] for key in ("verdict", "findings")
        }
    one, other = ((tmp_path / folder / "proof.json").read_bytes() for folder in ("one", "an/other folder"))
    assert one == other
    assert str(tmp_path).encode() not in one
    repeated = sparsetool("verify", "--against", "an/other folder/proof.json", "--json")
    assert repeated.code == code, repeated.err
    assert (repeated.json["repeated"], repeated.json["differences"], repeated.json["notes"]) == (True, [], [])


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A folder with a pair, its samples, and the certificate of it."""
    from command_line import run

    folder = tmp_path_factory.mktemp("certified")
    placed(folder, quantized())
    options = ("--samples", "samples.npy", "--certificate", "proof.json")
    done = run(folder, "verify", "dense.tflite", "small.tflite", *options)
    assert done.code == 0, done.err
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def there(certified, tmp_path):
    """That folder, for a test to spoil."""
    for name, data in certified.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def changed(folder, change):
    path = folder / "proof.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_a_certificate_says_what_it_found_of_what(there):
    record = json.loads((there / "proof.json").read_text())
    assert (record["reference"]["name"], record["candidate"]["name"]) == ("dense.tflite", "small.tflite")
    assert record["candidate"]["disk_bytes"] == (there / "small.tflite").stat().st_size
    assert (record["data"]["name"], record["data"]["samples"]) == ("samples.npy", 6)
    assert record["versions"]["ai-edge-litert"] is not None
    assert record["settings"]["tolerance"] is None


def test_a_text_for_people_says_that_it_was_repeated(sparsetool, there):
    done = sparsetool("verify", "--against", "proof.json")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "repeated: every figure of proof.json"


@pytest.mark.parametrize("name", ["dense.tflite", "small.tflite"])
def test_another_model_file_is_4(sparsetool, there, name):
    data = bytearray((there / name).read_bytes())
    data[len(data) // 2] ^= 1
    (there / name).write_bytes(data)
    line = sparsetool("verify", "--against", "proof.json").error(4)
    assert line.startswith(f"certificate: {name}: is another file: SHA-256 ")


def change_an_error(record):
    record["outputs"][0]["max_abs_error"] *= 1.0001


def change_zeros(record):
    record["weights"][0]["zeros_kept"] += 1


def change_verdict(record):
    record["verdict"] = "fail"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (change_an_error, "outputs[0].max_abs_error: "),
        (change_zeros, "weights[0].zeros_kept: "),
        (change_verdict, "verdict: pass instead of fail"),
    ],
)
def test_a_changed_figure_is_4(sparsetool, there, change, place):
    changed(there, change)
    done = sparsetool("verify", "--against", "proof.json", "--json")
    assert done.failure(4).startswith(f"verify: {place}")
    assert done.json["repeated"] is False
    assert done.json["differences"][0].startswith(place)


def elsewhere(record):
    record["processor"] = "riscv64"
    record["versions"]["ai-edge-litert"] = "1.0"
    record["outputs"][0]["max_abs_error"] *= 1.0001


def test_another_machine_and_version_may_compute_other_last_digits(sparsetool, there):
    changed(there, elsewhere)
    done = sparsetool("verify", "--against", "proof.json", "--json")
    assert done.code == 0, done.err
    assert done.json["repeated"] is True
    noted = " ".join(done.json["notes"])
    assert all(word in noted for word in ("processor", "riscv64", "ai-edge-litert", "outputs[0].max_abs_error"))
    assert sparsetool("verify", "--against", "proof.json").out.splitlines()[-1] == (
        "repeated: the verdict of proof.json"
    )


def test_what_needs_no_runtime_must_come_out_on_any_machine(sparsetool, there):
    changed(there, lambda record: (elsewhere(record), change_zeros(record)))
    done = sparsetool("verify", "--against", "proof.json", "--json")
    assert done.failure(4).startswith("verify: weights[0].zeros_kept: ")


def test_other_samples_are_4(sparsetool, there):
    np.save(there / "samples.npy", SAMPLES + np.float32(0.5))
    done = sparsetool("verify", "--against", "proof.json", "--json")
    assert done.code == 4
    assert any(line.startswith("data.sha256: ") for line in done.json["differences"])


def test_files_that_were_moved_and_renamed_can_be_named(sparsetool, there):
    away = there / "away"
    away.mkdir()
    for name in ("dense.tflite", "small.tflite", "samples.npy"):
        (there / name).rename(away / f"other-{name}")
    assert sparsetool("verify", "--against", "proof.json").error(2).startswith("dense.tflite: no such file")
    for name in ("dense.tflite", "small.tflite"):
        (there / name).write_bytes((away / f"other-{name}").read_bytes())
    assert "samples.npy: there are no samples of this name" in sparsetool("verify", "--against", "proof.json").error(2)
    for name in ("dense.tflite", "small.tflite"):
        (there / name).unlink()
    models = ("away/other-dense.tflite", "away/other-small.tflite")
    done = sparsetool("verify", *models, "--samples", "away/other-samples.npy", "--against", "proof.json", "--json")
    assert done.code == 0, done.err
    assert (done.json["repeated"], done.json["notes"]) == (True, [])


def test_samples_of_a_function_are_found_beside_the_certificate(sparsetool, tmp_path):
    home = tmp_path / "home"
    placed(home)
    (home / "data.py").write_text("import numpy as np\ndef ones():\n    yield np.ones(16, np.float32)\n")
    names = ("home/dense.tflite", "home/small.tflite", "--samples", "home/data.py:ones")
    done = sparsetool("verify", *names, "--certificate", "home/proof.json")
    assert done.code == 0, done.err
    assert json.loads((home / "proof.json").read_text())["data"]["name"] == "data.py:ones"
    assert sparsetool("verify", "--against", "home/proof.json").code == 0
    (home / "data.py").unlink()
    assert "no samples of this name" in sparsetool("verify", "--against", "home/proof.json").error(2)


DAMAGES = {
    "cut in half": lambda data: data[: len(data) // 2],
    "no text": lambda data: b"\xff\xfe\x00" + data,
    "another kind": lambda data: data.replace(b'"kind": "verify"', b'"kind": "compress"', 1),
    "another version": lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 99', 1),
    "a list": lambda data: b"[1, 2]",
    "a field is gone": lambda data: data.replace(b'"verdict"', b'"verdikt"', 1),
    "a field of another type": lambda data: data.replace(b'"exit_code": 0', b'"exit_code": "none"', 1),
    "nested without end": lambda data: 100_000 * b"[",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_certificate_is_5(sparsetool, there, damage):
    path = there / "proof.json"
    data = DAMAGES[damage](path.read_bytes())
    assert data != path.read_bytes()
    path.write_bytes(data)
    assert sparsetool("verify", "--against", "proof.json").error(5).startswith("proof.json: ")


def test_a_certificate_that_is_not_there_is_5(sparsetool, tmp_path):
    assert sparsetool("verify", "--against", "proof.json").error(5).startswith("proof.json: cannot be read")


def test_an_existing_certificate_is_overwritten_only_with_force(sparsetool, there):
    before = (there / "proof.json").read_bytes()
    command = ("verify", "dense.tflite", "dense.tflite", "--samples", "samples.npy", "--certificate", "proof.json")
    assert "--force" in sparsetool(*command).error(2)
    assert (there / "proof.json").read_bytes() == before
    assert sparsetool(*command, "--force").code == 0
    assert json.loads((there / "proof.json").read_text())["candidate"]["name"] == "dense.tflite"


def test_no_certificate_is_left_of_a_verification_that_could_not_be_made(sparsetool, there):
    (there / "text.tflite").write_bytes(b"no model, but some text that is long enough")
    done = sparsetool("verify", "dense.tflite", "text.tflite", "--certificate", "new.json")
    assert done.error(5).startswith("text.tflite: ")
    assert not (there / "new.json").exists()


def test_repeating_and_writing_at_once_is_refused(sparsetool, there):
    assert "leave one of them out" in sparsetool("verify", "--against", "proof.json", "--certificate", "b.json").error(
        2
    )
