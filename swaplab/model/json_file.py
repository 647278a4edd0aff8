"""Files in JSON that users hand to a command: read within bounds of size, depth and digits."""

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 64 << 20
DEEPEST = 100
MOST_DIGITS = 400


def read_json(file: Path) -> Any:
    """What the file holds; ValueError for what is no JSON, or beyond all that makes sense. OSError as when reading."""
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size >> 20:,} MiB, and more than {MOST_BYTES >> 20} are not read")
    return parse_json(file.read_text(encoding="utf-8"))


def parse_json(text: str) -> Any:
    """What the text means; ValueError as `read_json`."""
    try:
        content = json.loads(text, parse_int=_bounded)
    except RecursionError:
        content = None
        deep = True
    else:
        deep = _is_deeper(content, DEEPEST)
    if deep:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return content


def _bounded(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it has a number of {len(digits):,} digits, and more than {MOST_DIGITS} are not read")
    return int(digits)


def _is_deeper(content: Any, levels: int) -> bool:
    """Level by level, since who recursed would be the next to meet the end of the stack."""
    level = [content]
    for _ in range(levels):
        level = [
            part
            for each in level
            if isinstance(each, (list, dict))
            for part in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)
