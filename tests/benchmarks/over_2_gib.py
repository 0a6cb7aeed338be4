"""A file over 2 GiB: written, read again, run by the stock interpreter, encoded and run again."""

import filecmp
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from figures import Figure
from file_time import encode_file
from measured_models import SIDE, WEIGHT_BYTES, answer, fully_connected

from sparsetool_converters.model import Model

LAYERS = 2**31 // WEIGHT_BYTES + 2
CLOSE = 1e-4  # of the largest output, after that many layers


def measure(folder: Path) -> list[Figure]:
    source, again, encoded = (folder / f"{name}.tflite" for name in ("large", "again", "encoded"))
    size = fully_connected(LAYERS, zeros=0.9).save(source)
    assert size > 2**31
    Model.from_file(source).save(again)
    same = filecmp.cmp(source, again, shallow=False)
    again.unlink()
    expected = answer(LAYERS, zeros=0.9)
    assert np.isfinite(expected).all()
    assert expected.max() > 0
    errors = {"as written": _error(source, expected)}
    encode_file(source, encoded)
    source.unlink()
    errors["encoded"] = _error(encoded, expected)
    return [
        Figure(name="file over 2 GiB", value=size / 2**30, unit="GiB"),
        Figure(name="its second save differs from the first", value=float(not same), unit="files", limit=0),
        Figure(name="its encoded form", value=encoded.stat().st_size / 2**30, unit="GiB"),
        *(
            Figure(name=f"worst output of the runtime, {name}, off by", value=error, unit="x", limit=CLOSE)
            for name, error in errors.items()
        ),
    ]


def _error(path: Path, expected: np.ndarray) -> float:
    """Largest difference as a share of the largest output, run in a process that takes its memory with it."""
    finished = subprocess.run([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, check=True)
    found = np.array(json.loads(finished.stdout))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _run(path: str) -> list[float]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.ones((1, SIDE), np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(wanted["index"]).reshape(-1).tolist()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(sys.argv[1])))
