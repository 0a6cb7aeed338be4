"""Pictures of zeros show what is kept, point by point or in means, and stay small."""

import io

import numpy as np
import pytest
from PIL import Image

from sparsetool.report.plots.weights import DARK, MOST_POINTS, PALE, kept_shares, weight_picture


def test_a_small_weight_has_a_point_for_each_of_its_elements():
    weight = np.array([[[1, 0], [0, 2]], [[0, 0], [3, 0]]], np.int8)
    shares = kept_shares(weight)
    assert shares.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0]]
    pixels = np.asarray(Image.open(io.BytesIO(weight_picture(shares))).convert("RGB"))
    assert tuple(pixels[0, 0]) == DARK
    assert tuple(pixels[0, 1]) == PALE
    assert pixels.shape == (2, 4, 3)


@pytest.mark.parametrize("shape", [(129, 5), (1000, 3, 3, 64), (7,), (1, 1), (256, 257)])
def test_a_large_weight_is_shown_whole_by_means(shape):
    weight = np.random.default_rng(1).random(shape) < 0.3
    shares = kept_shares(weight)
    assert max(shares.shape) <= MOST_POINTS
    assert 0 <= shares.min() <= shares.max() <= 1
    down, across = (-(-size // points) for size, points in zip(weight.reshape(
        shape[0] if len(shape) > 1 else 1, -1).shape, shares.shape, strict=True))  # fmt: skip
    first = weight.reshape(shape[0] if len(shape) > 1 else 1, -1)[:down, :across]
    assert shares[0, 0] == pytest.approx(first.mean())


def test_a_picture_of_noise_is_no_larger_than_its_points():
    shares = np.random.default_rng(1).random((MOST_POINTS, MOST_POINTS))
    assert len(weight_picture(shares)) < MOST_POINTS * MOST_POINTS / 2 + 500
    assert weight_picture(shares) == weight_picture(shares)
