"""Tokens: one word that names a run, to be replayed anywhere. `stress1:` and base64url of canonical JSON."""

import base64
import json
from typing import Any

from .cancel import Cancel
from .order import POLICIES

VERSION = "stress1:"


class TokenError(ValueError):
    """A token that can not be read, or that is of another scenario or version."""


def token(scenario: str, seed: int, policy: str, cancel: Cancel | None) -> str:
    """Name a run. It is found again in a process with PYTHONHASHSEED=0."""
    said = {"scenario": scenario, "seed": seed, "policy": policy, "cancel": cancel, "reductions": {}, "hash_seed": 0}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return VERSION + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(text: str, scenario: str) -> tuple[int, str, Cancel | None]:
    """Return seed, policy and cancellation of a token of `scenario`.

    Raises:
        TokenError: It is of another version or scenario, or damaged.
    """
    named, seed, policy, cancel = _said(text)
    if named != scenario:
        raise TokenError(f"the token is of the scenario {named}, not of {scenario}: replay it there")
    return seed, policy, cancel


def scenario_of(text: str) -> str:
    """Return the name of the scenario that a token is of.

    Raises:
        TokenError: It is of another version, or damaged.
    """
    return _said(text)[0]


def _said(text: str) -> tuple[str, int, str, Cancel | None]:
    text = text.strip()
    if not text.startswith(VERSION):
        raise TokenError(
            f"a token of this version begins with {VERSION}, and this one with {text[:8]!r}: explore again"
        )
    body = text.removeprefix(VERSION)
    try:
        said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        cancel = None if said["cancel"] is None else Cancel(*map(int, said["cancel"]))
        name, seed, policy = str(said["scenario"]), int(said["seed"]), str(said["policy"])
    except (ValueError, KeyError, TypeError) as error:
        raise TokenError("the token is damaged: copy all of it") from error
    if policy not in POLICIES:
        raise TokenError(f"the token is damaged: there is no policy {policy!r}")
    return name, seed, policy, cancel
