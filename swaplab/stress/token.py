"""Tokens: one word that names a run, to be replayed anywhere. `stress1:` and base64url of canonical JSON."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .case import MOST_JITTER_MS, WHOLE, Cancel, Case, Reductions
from .order import POLICIES

VERSION = "stress1:"
MOST_CHARACTERS = 100_000
LONGEST = 200
"""Characters of a token that somebody might copy."""


class TokenError(ValueError):
    """A token that can not be read, or that is of another scenario or version."""


def token(scenario: str, case: Case) -> str:
    """Name a run. It is found again in a process with PYTHONHASHSEED=0."""
    whole = asdict(WHOLE)
    left_out = {name: value for name, value in asdict(case.reductions).items() if value != whole[name]}
    if "jitter_ms" in left_out:
        left_out["jitter_ms"] = float(left_out["jitter_ms"])  # 10 and 10.0 are one token
    said = {
        "scenario": scenario,
        "seed": case.seed,
        "policy": case.policy,
        "cancel": case.cancel,
        "reductions": left_out,
        "hash_seed": 0,
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return VERSION + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(text: str, scenario: str) -> Case:
    """Return what a run of `scenario` follows from, as its token says.

    Raises:
        TokenError: It is of another version or scenario, or damaged.
    """
    named, case = _said(text)
    if not _is_same(named, scenario):
        raise TokenError(f"the token is of the scenario {named}, not of {scenario}: replay it there")
    return case


def scenario_of(text: str) -> str:
    """Return the name of the scenario that a token is of.

    Raises:
        TokenError: It is of another version, or damaged.
    """
    return _said(text)[0]


def is_of(text: str, scenario: str) -> bool:
    """Whether a token is of `scenario`.

    Raises:
        TokenError: It is of another version, or damaged.
    """
    return _is_same(scenario_of(text), scenario)


def from_argument(text: str) -> str:
    """Return the token that an argument is, or that stands in the file that it names.

    Raises:
        TokenError: There is no such file, or something else in it.
    """
    if not re.match(r"stress\d*:", text):
        try:
            with open(text, encoding="ascii", errors="replace") as file:
                text = file.read(MOST_CHARACTERS).strip()
        except OSError as error:
            raise TokenError(
                f"{text!r} is no token, which begins with {VERSION}, and no file that holds one ({error.strerror})"
            ) from error
    scenario_of(text)
    return text


def short(token: str, directory: Path) -> str:
    """Return what a command has for a token: it, or if it is long the name of a file in `directory`, which is written.

    It stays as it is where nothing can be written.
    """
    if len(token) <= LONGEST:
        return token
    file = directory / f"stress-{blake2b(token.encode(), digest_size=4).hexdigest()}.token"
    try:
        file.write_text(token + "\n", encoding="ascii")
    except OSError:
        return token
    return str(file)


def _is_same(named: str, scenario: str) -> bool:
    """Whether two names are of one scenario: the module that is run as a script is `__main__` there."""
    (module, _, name), (other, _, another) = named.partition(":"), scenario.partition(":")
    return name == another and (module == other or "__main__" in (module, other))


def _said(text: str) -> tuple[str, Case]:
    text = text.strip()
    if not text.startswith(VERSION):
        raise TokenError(
            f"a token of this version begins with {VERSION}, and this one with {text[:8]!r}: explore again"
        )
    body = text.removeprefix(VERSION)
    try:
        said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        cancel = None if said["cancel"] is None else Cancel(*map(int, said["cancel"]))
        case = Case(int(said["seed"]), cancel, str(said["policy"]), _reductions(**said["reductions"]))
        name = str(said["scenario"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TokenError("the token is damaged: copy all of it") from error
    if case.policy not in POLICIES:
        raise TokenError(f"the token is damaged: there is no policy {case.policy!r}")
    return name, case


def _reductions(
    without: Iterable[int] = (), strikes: Iterable[str] | None = None, jitter_ms: float | None = None
) -> Reductions:
    if jitter_ms is not None and not 0 <= jitter_ms <= MOST_JITTER_MS:
        raise ValueError("no jitter")
    return Reductions(
        tuple(map(int, without)),
        None if strikes is None else tuple(map(str, strikes)),
        None if jitter_ms is None else float(jitter_ms),
    )
