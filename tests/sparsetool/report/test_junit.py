"""JUnit XML: a document that any reader takes, whatever names hold, with a test for each promise."""

import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparsetool.report.figures import visible
from sparsetool.report.junit import junit_xml
from sparsetool.report.records import SizeLimitRecord, Sizes
from sparsetool.report.size_records import FailureRecord, SizedRecord, SizesRecord

ANYTHING = st.text(st.characters(codec=None), min_size=1)  # half surrogates, control characters, ...
LIMIT = SizeLimitRecord(size="disk", rule="budget", actual_bytes=2, limit_bytes=1, kept=False)


def parsed(record):
    return ET.fromstring(junit_xml(record))


def check_structure(root):
    """What the readers' common schema asks for."""
    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.tag, suite.get("name")) == ("testsuite", "sparsetool")
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": 0,
    }
    for element in (root, suite):
        assert {name: int(element.get(name)) for name in counts} == counts
    for test in suite:
        assert test.tag == "testcase"
        assert set(test.attrib) == {"classname", "name"}
        assert len(test) <= 1
        for verdict in test:
            assert verdict.tag in ("failure", "error")
            assert set(verdict.attrib) == {"message", "type"}
            assert verdict.text == verdict.get("message")


def test_there_is_a_test_for_each_artifact_and_limit_in_order(gated):
    root = parsed(gated)
    check_structure(root)
    assert [
        (test.get("classname"), test.get("name"), [each.tag for each in test]) for test in root.iter("testcase")
    ] == [
        ("grown", "result", []),
        ("grown", "disk size at most 1,200 bytes", []),
        ("grown", "zstd size at most 650 bytes", []),
        ("grown", "ram size at most 4,096 bytes", ["failure"]),
        ("grown", "disk growth over its baseline", ["failure"]),
        ("grown", "wire growth over its baseline", []),
        ("fresh", "result", []),
        ("fresh", "disk size at most 90 bytes", []),
        ("free", "result", []),
        ("bad.tflite", "result", ["error"]),
    ]


def test_a_failure_says_what_the_command_line_says(gated):
    budget, growth = parsed(gated).iter("failure")
    assert budget.text == "grown: ram size is 5,000 bytes, 904 over the budget of 4,096"
    assert growth.text == "grown: disk size is 1,000 bytes, 120 over the 880 that its baseline of 800 allows (+25.00%)"
    assert budget.get("type") == growth.get("type") == "BudgetExceededError"


def test_what_gave_no_result_is_an_error_of_its_kind(gated):
    (error,) = parsed(gated).iter("error")
    assert (error.get("type"), error.get("message")) == ("ModelFormatError", "no flatbuffer")


def test_the_same_verdicts_give_the_same_bytes_and_others_give_others(gated):
    assert junit_xml(gated) == junit_xml(replace(gated))
    assert junit_xml(gated) != junit_xml(replace(gated, failures=()))


@given(name=ANYTHING, message=ANYTHING)
def test_any_name_and_message_come_back_from_the_document(name, message):
    sized = SizedRecord(name=name, sizes=Sizes(disk=2, gzip=2, zstd=2, wire=2), limits=(LIMIT,))
    failure = FailureRecord(name=name, error="UsageError", exit_code=2, message=message)
    root = parsed(SizesRecord(artifacts=(sized,), failures=(failure,)))
    check_structure(root)
    assert {test.get("classname") for test in root.iter("testcase")} == {visible(name)}
    assert root.find(".//error").text == visible(message)
    assert root.find(".//failure").text.startswith(f"{visible(name)}: disk size is 2 bytes")
