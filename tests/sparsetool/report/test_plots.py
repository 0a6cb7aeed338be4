"""Pictures of a record: the same bytes each time, and in them what the record says."""

import io
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from sparsetool.report.plots import chosen_tensor, layers_over_time, mask_picture, pruning_animation, ramp_up
from sparsetool.report.plots.tensors import FRAME_MS, GOING, LAST_FRAME_MS, PRUNED
from sparsetool.report.pruning_record import PruningRecord
from sparsetool_converters.errors import MissingExtraError, UsageError

SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture
def drawing():
    pytest.importorskip("matplotlib")


def still(content):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def frames(content):
    from PIL import Image, ImageSequence

    return [
        (frame.info["duration"], np.asarray(frame.convert("RGB")).astype(int))
        for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))
    ]


def count(pixels, colour):
    """Pixels of a colour that is given in 0..1, as near as a palette of 256 comes."""
    return int((np.abs(pixels - np.multiply(colour, 255)).max(axis=-1) < 8).sum())


def many_layers(record, layers):
    variable, numbers = record.numbers.variables[0], record.numbers
    return PruningRecord(
        numbers=replace(
            numbers,
            variables=tuple(replace(variable, variable=f"encoder/block_{i}/attention/kernel") for i in range(layers)),
            refreshes=tuple(replace(refresh, zeros=refresh.zeros[:1] * layers) for refresh in numbers.refreshes),
        ),
        corners=(),
    )


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize("draw", [ramp_up, layers_over_time])
def test_curves_are_svg_and_the_same_bytes_each_time(pruning_record, draw):
    content = draw(pruning_record)
    assert ET.fromstring(content).tag == SVG
    assert b"<dc:date>" not in content
    assert content == draw(pruning_record)


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize("index", [0, 1])
def test_pictures_of_tensors_are_the_same_bytes_each_time(pruning_record, index):
    assert mask_picture(pruning_record, index) == mask_picture(pruning_record, index)
    assert pruning_animation(pruning_record, index) == pruning_animation(pruning_record, index)


@pytest.mark.usefixtures("drawing")
def test_the_users_own_style_changes_nothing(pruning_record):
    import matplotlib as mpl

    plain = ramp_up(pruning_record)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        assert ramp_up(pruning_record) == plain
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize("layers", [2, 40])
def test_few_and_many_layers_can_be_drawn(pruning_record, layers):
    root = ET.fromstring(layers_over_time(many_layers(pruning_record, layers)))
    assert float(root.attrib["height"].removesuffix("pt")) / layers > 16  # a line of text for each


@pytest.mark.usefixtures("drawing")
def test_a_record_without_metrics_has_its_ramp(pruning_record):
    bare = replace(pruning_record, numbers=replace(pruning_record.numbers, metrics=()))
    assert ET.fromstring(ramp_up(bare)).tag == SVG


@pytest.mark.usefixtures("drawing")
def test_the_picture_has_a_panel_for_each_structure_that_the_shape_allows(pruning_record):
    three, two = still(mask_picture(pruning_record, 0)), still(mask_picture(pruning_record, 1))
    assert three.shape[1] == pytest.approx(4 / 3 * two.shape[1], rel=0.01)
    assert count(three.astype(int), PRUNED) > 10_000


@pytest.mark.usefixtures("drawing")
def test_the_animation_shows_each_mask_and_what_goes_with_it(pruning_record):
    content = pruning_animation(pruning_record, 0)
    shown = frames(content)
    assert [duration for duration, _ in shown] == [*[FRAME_MS] * 4, LAST_FRAME_MS]  # before, three masks, the end
    assert all(tuple(pixels[0, 0]) == (255, 255, 255) for _, pixels in shown)
    going = [count(pixels, GOING) for _, pixels in shown]
    pruned = [count(pixels, PRUNED) for _, pixels in shown]
    assert going[-1] < going[-2] < going[-3]  # 37.5 %, then 12.5 % more, then nothing but the dot on the curve
    assert pruned[-1] > pruned[-2] > pruned[0]


def test_the_largest_tensor_is_drawn_if_none_is_named(pruning_record):
    assert chosen_tensor(pruning_record, None) == 0
    assert chosen_tensor(pruning_record, "logits/kernel") == 1


def test_a_tensor_that_was_not_pruned_is_refused_with_the_nearest(pruning_record):
    with pytest.raises(UsageError, match=r"tensor 'logit/kernel' is not in the record; did you mean 'logits/kernel'\?"):
        chosen_tensor(pruning_record, "logit/kernel")
    with pytest.raises(UsageError, match="there are hidden/kernel, logits/kernel"):
        chosen_tensor(pruning_record, "xyzzy")


@pytest.mark.parametrize("draw", [ramp_up, layers_over_time, lambda r: mask_picture(r, 0)])
def test_without_matplotlib_the_extra_is_named(pruning_record, draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sparsetool\[report\]'"):
        draw(pruning_record)
