"""Run models in forks: under emulation a fresh Python takes seconds to come up, and a fork of this one none."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sparsetool.verify import KernelSet

Array = npt.NDArray[Any]
RunForked = Callable[[Sequence[bytes], KernelSet], list[Array]]
N_SAMPLES = 3


@pytest.fixture(scope="session")
def run_forked() -> RunForked:
    """A function that runs models, each of one input and one output, on a kernel set and in a process of their own.

    It returns each model's answers to the same samples, [samples, *shape]. If the process ends before that, the test
    fails and says how it ended.
    """
    import sparsetool.verify.worker  # noqa: F401 - loads the interpreter once, for all forks

    def run(models: Sequence[bytes], kernel_set: KernelSet) -> list[Array]:
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)

        def work() -> None:
            sender.send([_answers(model, kernel_set) for model in models])

        process = context.Process(target=work)
        process.start()
        sender.close()  # so that only the child holds it, and its end is seen here
        try:
            answers: list[Array] = receiver.recv()
        except EOFError:
            answers = []
        process.join()
        if process.exitcode != 0:
            pytest.fail(f"with {kernel_set} kernels the process ended with exit code {process.exitcode}")
        return answers

    return run


def _answers(model: bytes, kernel_set: KernelSet) -> Array:
    from sparsetool.verify.worker import RESOLVERS, Interpreter

    resolver = RESOLVERS[kernel_set]
    interpreter = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()
    random = np.random.default_rng(7)
    answers = []
    for _ in range(N_SAMPLES):
        is_integer = np.dtype(x["dtype"]).kind == "i"
        sample = random.integers(-128, 128, x["shape"]) if is_integer else random.random(x["shape"])
        interpreter.set_tensor(x["index"], sample.astype(x["dtype"]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(y["index"]))
    return np.stack(answers)
