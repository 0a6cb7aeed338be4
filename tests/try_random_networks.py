"""Cut dead channels out of many random networks and compare the answers on every kernel set.

    PYTHONPATH=tests python tests/try_random_networks.py [--runs N] [--first SEED]

The exit code is 1 if any answer differs.
"""

import argparse
import sys

import numpy as np
from kernel_sets import assert_same_answers
from random_networks import STEPS, grow

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Compact

MOST_STEPS = 9


def main() -> int:
    parser = argparse.ArgumentParser(description="Random networks with dead channels, float and int8 in turn.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    cut = wrong = 0
    for seed in range(arguments.first, arguments.first + arguments.runs):
        rng = np.random.default_rng(seed)
        steps = [str(step) for step in rng.choice(list(STEPS), rng.integers(1, MOST_STEPS + 1))]
        before, samples = grow(seed, steps, int8=bool(seed % 2))
        model = Model.from_bytes(before)
        if not Compact()(model):
            continue
        cut += 1
        try:
            assert_same_answers(before, model.to_bytes(), samples)
        except (AssertionError, RuntimeError, ValueError) as problem:
            wrong += 1
            sys.stdout.write(f"seed {seed}, {steps}: {problem}\n")
    sys.stdout.write(f"{arguments.runs:,} networks, {cut:,} of them cut, {wrong:,} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
