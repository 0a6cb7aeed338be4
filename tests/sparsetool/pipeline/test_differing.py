"""Two models side by side, without running them."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.differing import diff
from sparsetool.pipeline.events import Silence
from sparsetool.report.sections.difference import difference_section

RNG = np.random.default_rng(21)
WEIGHTS = [RNG.normal(size=(48, 64)) * (RNG.random((48, 64)) > 0.9), RNG.normal(size=(8, 48))]


@pytest.fixture
def pair(tmp_path):
    def write(first, second):
        paths = tmp_path / "first.tflite", tmp_path / "second.tflite"
        for path, data in zip(paths, (first, second), strict=True):
            path.write_bytes(data)
        return diff(*paths)

    return write


def converted(**settings):
    return convert(mlp(WEIGHTS), Settings(**settings), where="model", listener=Silence()).result


def test_a_model_is_the_same_as_itself(pair):
    record = pair(mlp(WEIGHTS), mlp(WEIGHTS))
    assert record.identical
    assert record.differences == ()
    assert difference_section(record).sentences == ("Both are the same bytes.",)


def test_sizes_operators_and_storage_are_told(pair):
    dense, small = mlp(WEIGHTS), converted(compact=False)
    record = pair(dense, small)
    assert (record.first.sizes.disk, record.second.sizes.disk) == (len(dense), len(small))
    assert {(o.operator, o.before, o.after) for o in record.operators} >= {
        ("FULLY_CONNECTED v1", 2, 1),
        ("FULLY_CONNECTED v8", 0, 1),
    }
    (first,) = (c for c in record.constants if c.name == "w0")
    assert (first.relation, first.stored_before, first.stored) == ("identical", "dense", "csr")
    assert first.bytes_before == 48 * 64 * 4 > first.bytes_after > 0
    said = difference_section(record)
    assert "Inputs, outputs, signatures, metadata and wiring are the same." in said.sentences
    assert any("1 equal, stored otherwise" in sentence for sentence in said.sentences)


def test_a_changed_weight_is_told_with_numbers(pair):
    changed = [WEIGHTS[0].copy(), WEIGHTS[1]]
    changed[0][3, 5] += 1.5
    record = pair(mlp(WEIGHTS), mlp(changed))
    (first,) = (c for c in record.constants if c.relation != "identical")
    assert (first.name, first.relation, first.differing) == ("w0", "changed", 1)
    assert first.max_abs_error == pytest.approx(1.5, rel=1e-5)


def test_quantized_and_missing_constants_are_told(pair):
    record = pair(mlp(WEIGHTS), converted(quantize="dynamic", encode=False, compact=False))
    assert {c.relation for c in record.constants} == {"rounded"}
    record = pair(mlp(WEIGHTS), mlp(WEIGHTS[:1]))
    assert {c.name: c.relation for c in record.constants} == {"w0": "identical", "w1": "missing"}
    assert any("output 0 is y [1, 48]" in line for line in record.differences)
    record = pair(mlp(WEIGHTS[:1]), mlp(WEIGHTS))
    assert record.added == ("w1",)
