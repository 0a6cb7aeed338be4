"""Samples have one digest, whatever they came in, and any change another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsetool_converters.samples import RandomSamples, gather_samples, load_samples
from sparsetool_converters.samples_digest import samples_digest

ONE = np.arange(12, dtype=np.float32).reshape(3, 4)
OTHER = np.arange(3, dtype=np.int32)


def test_the_same_values_have_the_same_digest_whatever_file_they_are_in(tmp_path):
    np.save(tmp_path / "whole.npy", ONE)
    (tmp_path / "folder").mkdir()
    for number, sample in enumerate(ONE):
        np.save(tmp_path / "folder" / f"{number}.npy", sample)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(ONE))
    digests = {samples_digest(load_samples(tmp_path / name)) for name in ("whole.npy", "folder", "fortran.npy")}
    assert digests == {samples_digest(ONE)} == {samples_digest(gather_samples(lambda: iter(ONE)))}


def test_names_may_stand_in_any_order(tmp_path):
    np.savez(tmp_path / "one.npz", a=ONE, b=OTHER)
    np.savez_compressed(tmp_path / "other.npz", b=OTHER, a=ONE)
    one, other = (samples_digest(load_samples(tmp_path / name)) for name in ("one.npz", "other.npz"))
    assert one == other


def test_samples_of_several_shapes_are_told_by_their_order(tmp_path):
    for number, length in enumerate((2, 3)):
        np.save(tmp_path / f"{number}.npy", np.ones(length))
    ragged = load_samples(tmp_path)
    assert samples_digest(ragged) == samples_digest(gather_samples(lambda: iter([np.ones(2), np.ones(3)])))
    assert samples_digest(ragged) != samples_digest(gather_samples(lambda: iter([np.ones(3), np.ones(2)])))


@pytest.mark.parametrize(
    "other",
    [
        ONE.reshape(4, 3),
        ONE.astype(np.float64),
        ONE[:2],
        ONE[::-1],
        [ONE, OTHER],
        {"a": ONE},
        {"b": ONE},
        RandomSamples(n_samples=3),
        RandomSamples(n_samples=4),
        RandomSamples(n_samples=3, seed=1),
    ],
)
def test_another_shape_type_order_name_or_seed_is_another_digest(other):
    everything = [ONE, ONE.reshape(4, 3), {"a": ONE}, {"b": ONE}, RandomSamples(n_samples=3)]
    assert samples_digest(other) != samples_digest(ONE)
    same = [samples_digest(samples) for samples in everything]
    assert len(set(same)) == len(everything)


def test_where_one_array_ends_and_the_next_begins_counts():
    assert samples_digest([ONE[:1], ONE[1:]]) != samples_digest([ONE[:2], ONE[2:]])
    assert samples_digest({"a": ONE, "b": OTHER}) != samples_digest({"a": OTHER, "b": ONE})


@given(hnp.arrays(np.float32, (3, 4)), st.integers(0, 47), st.integers(0, 7))
def test_any_bit_counts(values, place, bit):
    changed = values.copy()
    changed.view(np.uint8).reshape(-1)[place] ^= np.uint8(1 << bit)
    assert samples_digest(changed) != samples_digest(values)


@pytest.mark.parametrize("change", [b"another picture", b""])
def test_of_pictures_the_files_count_and_not_their_folder(tmp_path, change):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            (tmp_path / folder / name).write_bytes(f"picture {name}".encode())
    one, other = (samples_digest(load_samples(tmp_path / folder)) for folder in ("one", "other"))
    assert one == other
    (tmp_path / "one" / "b.png").write_bytes(change)
    assert samples_digest(load_samples(tmp_path / "one")) != one
