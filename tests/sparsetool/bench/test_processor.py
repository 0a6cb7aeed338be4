"""What the system tells of the processor."""

from sparsetool.bench import this_processor


def test_flags_are_those_of_the_first_processor(tmp_path):
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    )
    found = this_processor(tmp_path / "cpuinfo")
    assert found.name.endswith(", Some CPU")
    assert found.flags == {"fpu", "avx"}


def test_features_of_arm_are_flags(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd asimddp\n")
    assert this_processor(tmp_path / "cpuinfo").flags == {"fp", "asimd", "asimddp"}


def test_without_cpuinfo_there_are_no_flags(tmp_path):
    assert this_processor(tmp_path / "none").flags == frozenset()
