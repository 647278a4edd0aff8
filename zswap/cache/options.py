"""What a cache is opened with, and what its callers may say of a value: checked here, once."""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from errno import EINVAL
from typing import Any, Final, Literal

from acomp import PAGE_SIZE

from ..errors import ParameterError
from .entry import size_in_memory
from .eviction import ACCEPT_PERCENT
from .values import OnGone

Serializer = tuple[Callable[[Any], Any], Callable[[bytes], Any]]
"""`dumps` and `loads`: what makes a buffer of a value, and a value of bytes."""
MAX_SLOTS: Final = (1 << 31) - 1
LEAST_BYTES: Final = -(-size_in_memory(b"", b"") * 100 // ACCEPT_PERCENT)
"""The least `max_bytes`: an empty value of an empty key is 90 % of it."""


class Unset(Enum):
    """The type of `UNSET`, so that None can mean "never expires"."""

    UNSET = "the ttl of the cache"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments of `Cache.open`. ParameterError says what is wrong and what to write instead."""

    max_bytes: int | None
    compressor: str
    ttl: float | None
    serializer: Serializer | None
    spill: str | os.PathLike[str] | Literal[True] | None
    max_spill_bytes: int
    max_value_bytes: int
    on_gone: OnGone | None

    def __post_init__(self) -> None:
        if self.max_bytes is not None:
            remedy = (
                f"write a number of bytes, {LEAST_BYTES} or more (less has room for no value), or None for no limit"
            )
            self._check_int("max_bytes", LEAST_BYTES, remedy)
        if not isinstance(self.compressor, str) or not self.compressor.strip():
            raise ParameterError(EINVAL, "compressor", self.compressor, "name an algorithm, for example 'zstd'")
        try:
            check_ttl(self.ttl)
        except (TypeError, ValueError) as error:
            raise ParameterError(EINVAL, "ttl", _shown(self.ttl), str(error)) from None
        serializer: object = self.serializer
        is_pair = isinstance(serializer, tuple) and len(serializer) == 2 and all(map(callable, serializer))
        if serializer is not None and not is_pair:
            raise ParameterError(EINVAL, "serializer", serializer, "give two functions, (dumps, loads), or None")
        spill: object = self.spill
        if spill is not None and spill is not True and (not isinstance(spill, (str, os.PathLike)) or spill == ""):
            remedy = "this names no file; write True, the path of a file that is not there, or None"
            raise ParameterError(EINVAL, "spill", spill, remedy)
        if spill is not None and self.max_bytes is None:
            remedy = "without max_bytes nothing would ever go to the file; write a number of bytes as max_bytes"
            raise ParameterError(EINVAL, "spill", spill, remedy)
        self._check_int("max_spill_bytes", PAGE_SIZE, f"write a number of bytes, {PAGE_SIZE} or more")
        if self.max_spill_bytes // PAGE_SIZE > MAX_SLOTS:
            raise ParameterError(EINVAL, "max_spill_bytes", self.max_spill_bytes, "a file has less than 8 TiB")
        self._check_int("max_value_bytes", 1, "write a positive number of bytes")
        if self.on_gone is not None and not callable(self.on_gone):
            raise ParameterError(EINVAL, "on_gone", self.on_gone, "give a function that takes a key, or None")

    def _check_int(self, name: str, low: int, remedy: str) -> None:
        value = getattr(self, name)
        if type(value) is not int or value < low:
            raise ParameterError(EINVAL, name, value, remedy)


def check_ttl(ttl: object) -> float | None:
    """The ttl again, if it is a positive number of seconds, or None; else TypeError or ValueError."""
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise TypeError(f"a ttl is a number of seconds, or None for ever, not {type(ttl).__name__}")
    if not 0 < ttl <= sys.float_info.max:
        remedy = "for ever is None" if ttl > 0 else "to delete, call delete"
        raise ValueError(f"a ttl is a positive number of seconds, or None for ever, not {_shown(ttl)!r}; {remedy}")
    return ttl


def _shown(ttl: Any) -> Any:
    """What a message can show: an int may have more digits than Python writes."""
    return math.copysign(math.inf, ttl > 0 or -1) if type(ttl) is int and abs(ttl) > sys.float_info.max else ttl


def check_value(value: object, remedy: str = "encode it, or open the cache with serializer=(dumps, loads)") -> bytes:
    """The bytes of a buffer, copied unless they cannot change. TypeError, with the remedy, for what is none."""
    if type(value) is bytes:
        return value
    try:
        view = memoryview(value)  # type: ignore[arg-type] # whatever is no buffer is answered below
    except TypeError:
        raise TypeError(f"a value is a contiguous buffer such as bytes, not {type(value).__name__}; {remedy}") from None
    with view:
        if not view.c_contiguous:
            raise TypeError("a value must be contiguous; copy it first")
        return view.tobytes()
