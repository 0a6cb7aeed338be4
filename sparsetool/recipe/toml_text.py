"""A recipe's plain data as TOML, each value with a comment if there is one for it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml_text(values: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """The TOML that reads back as these values.

    Args:
        values: single values, sections, and lists of these under one name, as a recipe has them.
        comments: what to say behind a value, by its dotted key, as "artifacts.0.quantize".
    """
    tables = {name: value for name, value in values.items() if isinstance(value, list | Mapping)}
    lines = [_line(name, name, value, comments) for name, value in values.items() if name not in tables]
    for name, section in tables.items():
        if isinstance(section, list):
            for i, one in enumerate(section):
                lines += _table(f"[[{name}]]", name, f"{name}.{i}", one, comments)
        else:
            lines += _table(f"[{name}]", name, name, section, comments)
    return "\n".join(lines).lstrip("\n") + "\n" if lines else ""


def _table(head: str, name: str, key: str, table: Mapping[str, Any], comments: Mapping[str, str]) -> Iterator[str]:
    inner = {part: value for part, value in table.items() if isinstance(value, Mapping)}
    if head.startswith("[[") or not table or len(inner) < len(table):
        yield from ("", head)
    for part, value in table.items():
        if part not in inner:
            yield _line(part, f"{key}.{part}", value, comments)
    for part, value in inner.items():
        yield from _table(f"[{name}.{part}]", f"{name}.{part}", f"{key}.{part}", value, comments)


def _line(name: str, key: str, value: Any, comments: Mapping[str, str]) -> str:
    comment = comments.get(key)
    return f"{name} = {_value(value)}" + (f"  # {comment}" if comment else "")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_value(one)}' for name, one in value.items())} }}"
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else repr(value)
