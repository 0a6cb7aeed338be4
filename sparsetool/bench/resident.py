"""What one model has resident once it runs, without anything to compare it with."""

from pathlib import Path
from statistics import median_low

import numpy as np

from sparsetool.bench.process import Setup, TimedProcess
from sparsetool.bench.rounds import Contestant, describe_inputs
from sparsetool_converters.samples import Samples, fit_samples

PROCESSES = 3  # they differ by some pages


def resident_growth(model: Contestant, *, samples: Samples, setup: Setup, folder: Path) -> int:
    """Bytes that become resident between before the load and after the first inference; the median of a few processes.

    Args:
        model: what to run.
        samples: for its inputs; the first one is used.
        setup: how it is run.
        folder: where files may be put.

    Raises:
        TargetError, VerificationError: the model does not run.
    """
    path = folder / "model.tflite"
    path.write_bytes(model.model)
    for position, array in enumerate(fit_samples(samples, describe_inputs(model, path, folder, setup))):
        np.save(folder / f"input_{position}.npy", array[:1], allow_pickle=False)
    found = []
    for _ in range(PROCESSES):
        path.unlink()  # pages that are mapped from the last copy would count as shared
        path.write_bytes(model.model)
        with TimedProcess(model.name, path, folder, setup) as process:
            process.ask("load")
            found.append(int(process.ask("first")["resident_bytes"]))
    return max(median_low(found), 0)
