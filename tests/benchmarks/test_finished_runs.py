"""Benchmarks that go on where they were killed."""

from pathlib import Path

from finished_runs import FinishedRuns


def test_a_run_is_found_by_exactly_its_inputs(tmp_path: Path) -> None:
    runs = FinishedRuns(tmp_path / "kept" / "runs.jsonl")
    runs.add({"seed": 0, "schedule": (0, 500)}, {"accuracy": 0.99})
    assert runs.find({"schedule": (0, 500), "seed": 0}) == {"accuracy": 0.99}
    assert runs.find({"seed": 0}) is None
    assert runs.find({"seed": 1, "schedule": (0, 500)}) is None


def test_the_newest_of_two_runs_counts(tmp_path: Path) -> None:
    runs = FinishedRuns(tmp_path / "runs.jsonl")
    runs.add({"seed": 0}, {"accuracy": 0.98})
    runs.add({"seed": 0}, {"accuracy": 0.99})
    assert runs.find({"seed": 0}) == {"accuracy": 0.99}


def test_a_line_cut_short_anywhere_costs_only_its_own_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    FinishedRuns(path).add({"seed": 0}, {"accuracy": 0.98})
    first = path.read_bytes()
    FinishedRuns(path).add({"seed": 1}, {"accuracy": 0.97})
    both = path.read_bytes()
    for length in range(len(first), len(both)):
        path.write_bytes(both[:length])
        runs = FinishedRuns(path)
        assert runs.find({"seed": 1}) is None
        runs.add({"seed": 2}, {"accuracy": 0.96})
        assert [runs.find({"seed": seed}) for seed in (0, 2)] == [{"accuracy": 0.98}, {"accuracy": 0.96}]
