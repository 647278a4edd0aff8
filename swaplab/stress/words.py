"""What the loop says of time and of those who wait, in words that people read."""

import re

CALLBACKS = {
    "_set_result_unless_cancelled": "a sleep is over",
    "_wait.<locals>._on_completion": "somebody who was waited for has ended",
    "gather.<locals>._done_callback": "somebody who was gathered has ended",
    "_run_until_complete_cb": "the scenario has ended",
    "Timeout._on_timeout": "a deadline is reached",
    "_release_waiter": "a deadline is reached, or what was waited for has ended",
}
"""Callbacks of asyncio."""

WAITS = (
    (r"(?:[\w.]+\.<locals>\.)+", ""),
    (r"<Future pending(?: cb=\[.*?\])?>", "a future"),
    (r"<sleep of (\d+) ns>", lambda match: f"a sleep of {duration(int(match[1]))}"),
    (r" for sleep of a future", " for a sleep"),
    (r" for _wait of $", ", and is about to go on"),
    (r" for _wait of ", " for "),
    (r"^in (.*) for (?:__sleep0 of )?nothing: it was never started or yields by itself$", r"yields in \1"),
    (r" for (?:__sleep0 of )?nothing: it was never started or yields by itself$", ", and is about to go on"),
    (r"(?:task '[^']*'(?:, )?){5,}", lambda match: f"{match[0].count('task ')} tasks"),
    (r"^in ", "waits in "),
)
UNITS_NS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000))


def duration(ns: int) -> str:
    """A time span in the unit that suits it."""
    for unit, size in UNITS_NS:
        if ns >= size:
            return f"{ns / size:.4g} {unit}" if ns < 1000 * size else f"{ns / size:,.0f} {unit}"
    return f"{ns} ns"


def waiting(said: str) -> str:
    """Where somebody stands and what he waits for."""
    for pattern, words in WAITS:
        said = re.sub(pattern, words, said)
    return said


def callback(name: str) -> str:
    """What a callback does, or its name."""
    return CALLBACKS.get(name, name)
