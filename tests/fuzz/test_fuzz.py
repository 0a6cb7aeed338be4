"""The first files of `make fuzz`, the ones that were treated wrong once, and that the limits are noticed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import cases
import numpy as np
import pytest
from campaign import campaign
from cases import complaints, file_number, seeds
from containers import CONTAINERS, container_complaints, container_number
from seed_models import chain_of_operators, chain_of_subgraphs
from steps import Step

FOUND = Path(__file__).parent / "found"
RUNS = 1000
LEAKED: list[np.ndarray] = []


def test_seeds_are_sound_files() -> None:
    assert {seed.name: complaints(seed.data) for seed in seeds()} == {seed.name: [] for seed in seeds()}


def test_files_are_the_same_for_the_same_number() -> None:
    assert [file_number(n) for n in range(40)] == [file_number(n) for n in range(40)]
    assert len({file_number(n) for n in range(40)}) > 35


@pytest.mark.slow
def test_damaged_files_give_a_result_or_one_clear_error() -> None:
    assert list(campaign(RUNS, processes=1)) == []


@pytest.mark.slow
def test_damaged_containers_give_the_exact_output_or_one_clear_error() -> None:
    assert list(campaign(3 * RUNS, processes=1, kind=CONTAINERS)) == []


def test_containers_are_the_same_for_the_same_number() -> None:
    assert [container_number(n) for n in range(40)] == [container_number(n) for n in range(40)]
    assert [container_complaints(n) for n in range(200)] == [[]] * 200


@pytest.mark.parametrize("path", sorted(FOUND.iterdir()), ids=lambda path: path.stem)
def test_files_that_were_treated_wrong_once_are_treated_right(path: Path) -> None:
    assert complaints(path.read_bytes()) == []


def takes_memory(data: bytes) -> None:
    # Far over the limit: what else runs in this process may give memory back meanwhile.
    LEAKED.append(np.zeros(4 * len(data) + 8 * cases.FREE_BYTES, np.uint8))


def takes_time(data: bytes) -> None:
    start = time.process_time()
    while time.process_time() - start < 60:
        pass


def breaks(data: bytes) -> None:
    raise KeyError("what nobody foresaw")


def dies(data: bytes) -> None:
    os._exit(3)


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (takes_memory, "takes_memory: MemoryError: Unable to allocate"),
        (takes_time, "takes_time: takes more than 0.2 s"),
        (breaks, "breaks: KeyError: 'what nobody foresaw' (test_fuzz.py:"),
    ],
)
def test_what_is_not_a_result_is_noticed(step: Step, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "STEPS", (step,))
    monkeypatch.setattr(cases, "MOST_SECONDS", 0.2)
    (found,) = complaints(seeds()[0].data)
    assert found.startswith(complaint)


def test_death_of_the_process_is_noticed_and_the_next_file_treated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "STEPS", (dies,))
    found = list(campaign(3, processes=1))
    assert [finding.number for finding in found] == [0, 1, 2]
    assert {finding.complaint for finding in found} == {"ended the process, exit code 3"}


@pytest.mark.parametrize("chain", [chain_of_operators, chain_of_subgraphs])
def test_depth_takes_no_stack_and_no_time_beyond_its_length(chain: Callable[[int], bytes]) -> None:
    assert complaints(chain(500)) == []
