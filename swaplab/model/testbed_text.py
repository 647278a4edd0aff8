"""The text of a testbed file: JSON with a line per parameter and per cell, so that a change shows as one."""

import json
from typing import Any


def laid_out(value: Any, depth: int = 0) -> str:
    """JSON with an object of scalars on one line, and whole numbers without a fraction."""
    inner, outer = " " * (depth + 1), " " * depth
    if isinstance(value, dict) and not (depth and _is_flat(value)):
        lines = [f"{inner}{json.dumps(key)}: {laid_out(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + laid_out(item, depth + 1) for item in value) + f"\n{outer}]"
    return json.dumps(_whole(value), ensure_ascii=False)


def _is_flat(value: dict[str, Any]) -> bool:
    """Whether all it holds are scalars and lists of scalars."""
    parts = [part for item in value.values() for part in (item if isinstance(item, list) else [item])]
    return not any(isinstance(part, dict | list) for part in parts)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
