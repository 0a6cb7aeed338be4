"""Tables show exactly the figures of their records."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from sparsetool.report.records import LayerRecord, MetricRecord, Sizes, TrainingRecord
from sparsetool.report.tables import artifact_table, layer_table, output_table, tensor_table


def rendered(table, width=200):
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(table)
    return console.file.getvalue()


def cells(text, first):
    """The cells of the row whose first cell is this."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"  {first} ")]
    return re.split(r" {2,}", row.strip())


def test_sizes_are_exact_and_ratios_are_to_the_first_row(artifact):
    half = replace(artifact, name="half", sizes=Sizes(disk=617_284, gzip=1, zstd=2, wire=13_457), accuracy=None)
    text = rendered(artifact_table([artifact, half]))
    assert cells(text, "small") == ["small", "1,234,567", "234,567", "134,567", "134,568", "1.0x", "1.0x", "98.76 %"]
    assert cells(text, "half") == ["half", "617,284", "1", "2", "13,457", "2.0x", "10.0x"]


def test_every_size_has_its_word(artifact):
    text = rendered(artifact_table([artifact]))
    assert all(word in text for word in ("bytes", "disk", "gzip -9", "zstd -19", "wire", "test accuracy"))


def test_a_metric_of_the_users_own_stands_in_the_place_of_accuracy(artifact):
    measured = replace(artifact, accuracy=None, metric=MetricRecord(name="f1", value=0.87654, samples=99))
    text = rendered(artifact_table([measured]))
    assert "test f1" in text
    assert cells(text, "small")[-1] == "0.8765"


def test_layers_show_zeros_beside_what_was_asked_for():
    layer = LayerRecord(variable="conv/kernel", weights=51_200, zeros=46_081, target_zeros=46_080)
    training = TrainingRecord(
        dense_accuracy=0.9876, pruned_accuracy=0.9765, checkpoint_bytes=1_717_074, layers=(layer,)
    )
    text = rendered(layer_table(training))
    assert all(figure in text for figure in ("1,717,074 bytes", "98.76%", "97.65%"))
    assert cells(text, "conv/kernel") == [
        "conv/kernel",
        "51,200",
        "46,081",
        "46,080",
        "90.0020%",
    ]


def test_tensors_show_bytes_and_the_reason_and_their_names_as_they_are(artifact):
    assert cells(rendered(tensor_table(artifact.tensors)), "net:key:kernel[0]") == [
        "net:key:kernel[0]",
        "FULLY_CONNECTED",
        "10x1024",
        "float32",
        "87.6%",
        "40,960",
        "7,654",
        "csr, native: 7,654 of 40,960 bytes",
    ]


def test_outputs_show_the_worst_of_each_stage_and_kernel_set(artifact):
    better = replace(artifact.outputs[1], output="z", relative_error=1e-9, sqnr_db=180.0)
    text = rendered(output_table([*artifact.outputs, better], ()))
    assert cells(text, "encode") == ["encode", "identical", "2.5e-07 off, 131 dB", "not compared", "8"]
    assert cells(text, "quantize") == ["quantize", "1.2e-02 off, 38 dB", "not compared", "not compared", "17"]


def test_every_kernel_set_that_was_not_compared_is_named_with_its_reason(artifact):
    text = rendered(output_table(artifact.outputs, artifact.skipped))
    for problem in artifact.skipped:
        assert f"not compared: {problem}" in text


@pytest.mark.parametrize("width", [80, 160])
def test_no_figure_is_cut_off_where_the_screen_is_narrow(artifact, width):
    text = rendered(artifact_table([artifact]), width)
    if width >= 120:
        assert "1,234,567" in text
    assert "7,654" in rendered(tensor_table(artifact.tensors), width)
