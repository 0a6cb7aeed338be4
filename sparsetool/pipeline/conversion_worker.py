"""The child process that carries out one conversion, since a fault in one must not end those beside it.

    python -m sparsetool.pipeline.conversion_worker FOLDER

It reads a pickled `Request` on stdin, writes the result into FOLDER under the name of its output, and then
`answer.json`: {"record": {...}}, or {"failure": {"error": ..., "exit_code": ..., "message": ...}}. When stdin ends
before that, whoever started it is gone, and so is it.
"""

import json
import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sparsetool.pipeline.compress import save_output
from sparsetool.pipeline.events import Silence
from sparsetool.pipeline.outputs import staged
from sparsetool_converters.errors import SparseToolError

ANSWER = "answer.json"


def main() -> None:
    """Answer the one request on stdin."""
    folder = Path(sys.argv[1])
    request = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer: dict[str, Any]
    try:
        answer = {"record": save_output(request, folder, listener=Silence())}
    except SparseToolError as problem:
        told = {"error": type(problem).__name__, "exit_code": problem.exit_code, "message": str(problem)}
        answer = {"failure": told}
    with staged(folder / ANSWER) as temporary:
        temporary.write_text(json.dumps(answer), encoding="utf-8")


def _end_with_parent() -> None:
    """Interrupt this process, which takes its own children along, once nobody holds the other end of stdin."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
