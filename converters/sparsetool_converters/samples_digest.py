"""A name for samples that tells whether they are the same."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sparsetool_converters.samples import ImageFolder, RaggedSamples, RandomSamples, Samples


def samples_digest(samples: Samples) -> str:
    """SHA-256 over names, types, shapes and values, whatever files they came from and in whatever order names stand.

    Of random samples the seed and their number count, of pictures the bytes of the files.
    """
    digest = hashlib.sha256()
    for part in _parts(samples):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(samples: Any) -> Iterator[bytes]:
    if isinstance(samples, RandomSamples):
        yield f"random, {samples.n_samples} of seed {samples.seed}".encode()
    elif isinstance(samples, ImageFolder):
        yield from (path.read_bytes() for path in samples.paths)
    elif isinstance(samples, RaggedSamples):
        for sample in samples.samples:
            yield from _parts(sample)
    elif isinstance(samples, Mapping):
        for name in sorted(samples):
            yield name.encode()
            yield from _parts(samples[name])
    elif isinstance(samples, np.ndarray):
        yield f"{samples.dtype.str} {samples.shape}".encode()
        yield np.ascontiguousarray(samples).tobytes()
    else:
        for array in samples:
            yield from _parts(array)
