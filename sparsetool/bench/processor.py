"""Which processor this is, and what it can do."""

import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Processor:
    """The processor of this machine.

    Attributes:
        name: its architecture, and its model where the system tells.
        is_x86: whether it is of that family.
        flags: its features, as /proc/cpuinfo has them; empty where there is no such file.
    """

    name: str
    is_x86: bool
    flags: frozenset[str]


def this_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """What the system tells of the first processor."""
    machine = platform.machine()
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    model = fields.get("model name", "")
    return Processor(
        name=f"{machine}, {model}" if model else machine,
        is_x86=machine in ("x86_64", "AMD64", "i686", "i386"),
        flags=frozenset((fields.get("flags") or fields.get("Features", "")).split()),
    )
