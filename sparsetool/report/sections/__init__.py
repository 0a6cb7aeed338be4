"""A report's sections, in order: what is said in each, before it has a face."""

from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sections.accuracy import accuracy_section
from sparsetool.report.sections.findings import findings_section
from sparsetool.report.sections.layers import layers_section
from sparsetool.report.sections.limits import limits_section
from sparsetool.report.sections.sizes import sizes_section
from sparsetool.report.sections.summary import summary_section
from sparsetool.report.sections.timing import timing_section
from sparsetool.report.sections.training import training_section
from sparsetool.report.sections.verification import verification_section
from sparsetool.report.sheets import Section


def sections_of(record: ReportRecord) -> tuple[Section, ...]:
    """Every section, for a run with training and for one without."""
    return (
        summary_section(record),
        sizes_section(record),
        limits_section(record),
        layers_section(record),
        training_section(record),
        accuracy_section(record),
        verification_section(record),
        timing_section(record),
        findings_section(record),
    )


__all__ = ["sections_of"]
