"""What docstrings say, for the schemas that are made from the code."""

import re


def attributes_of(documentation: str) -> dict[str, str]:
    """What a docstring says of each attribute."""
    _, found, section = documentation.partition("Attributes:\n")
    if not found:
        return {}
    texts: dict[str, str] = {}
    name = ""
    for line in section.partition("\n\n")[0].splitlines():
        match = re.match(r" {4}(\w+): (.*)", line)
        if match:
            name, texts[match[1]] = match[1], match[2].strip()
        elif name:
            texts[name] += f" {line.strip()}"
    return texts
