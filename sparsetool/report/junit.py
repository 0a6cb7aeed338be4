"""A gate on sizes as JUnit XML, which GitHub, GitLab and Jenkins read."""

import xml.etree.ElementTree as ET

from sparsetool.report.figures import visible
from sparsetool.report.size_limits import broken_text, limit_name
from sparsetool.report.size_records import FailureRecord, SizedRecord, SizesRecord
from sparsetool_converters.errors import BudgetExceededError

SUITE = "sparsetool"
RESULT = "result"  # the test that every artifact has: that there is one


def junit_xml(record: SizesRecord) -> bytes:
    """One suite with a test for each artifact and for each of its limits; it holds no time and no host.

    A limit that is not kept is a failure; an artifact that could not be made or measured is an error.
    """
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name=SUITE)
    for sized in record.artifacts:
        _add_artifact(suite, sized)
    for failure in record.failures:
        _add_error(suite, failure)
    counts = {"tests": len(suite), "failures": len(record.broken), "errors": len(record.failures), "skipped": 0}
    for element in (root, suite):
        for name, number in counts.items():
            element.set(name, str(number))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_artifact(suite: ET.Element, sized: SizedRecord) -> None:
    _test(suite, sized.name, RESULT)
    for limit in sized.limits:
        test = _test(suite, sized.name, limit_name(limit))
        if not limit.kept:
            _tell(test, "failure", BudgetExceededError.__name__, broken_text(sized.name, limit))


def _add_error(suite: ET.Element, failure: FailureRecord) -> None:
    _tell(_test(suite, failure.name, RESULT), "error", failure.error, failure.message)


def _test(suite: ET.Element, artifact: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=visible(artifact), name=name)


def _tell(test: ET.Element, verdict: str, error: str, message: str) -> None:
    told = visible(message)  # XML has no way at all to write most control characters
    ET.SubElement(test, verdict, message=told, type=error).text = told
