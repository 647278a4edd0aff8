"""The parameters of a running store, under the kernel's names and rules (docs/kernel.md#parameters).

A write is synchronous: it takes effect at once, or raises ParameterError and changes nothing.
"""

from collections.abc import Callable, Iterator, MutableMapping
from errno import EINVAL, ENOENT, ERANGE
from typing import Any, Final

from .errors import ParameterError
from .params import ZPOOL, Settings
from .pool.pool import PoolList

Value = str | int | bool | None

_TRUE: Final = ("y", "yes", "1", "on", "t", "true")
_MAX_DIGITS: Final = 20
_FALSE: Final = ("n", "no", "0", "off", "f", "false")


class ParameterTable(MutableMapping[str, Value]):
    """`enabled`, `compressor`, `zpool`, `max_pool_percent`, `accept_threshold_percent`, `shrinker_enabled`.

    And ours: `ram_bytes` or `max_pool_bytes` (None or "max": none), of which one may be set at a time. Values may be
    written as text, as in sysfs, or as what they are. Writing `compressor` makes the pool at once, or finds the one
    that still has entries; stored pages keep the compressor that they were stored with. ENOENT: no such compressor;
    EINVAL: its pool cannot be made.

    Differs from the kernel: there is no -ENODEV, because a store that cannot make its first pool does not open, and no
    parameter that is remembered until set-up. `max_pool_percent` and `accept_threshold_percent` are not checked for
    sense, as there.
    """

    def __init__(self, settings: Settings, pools: PoolList) -> None:
        self._settings = settings
        self._pools = pools
        self._write: dict[str, Callable[[str, Any], Value]] = {
            "enabled": _boolean,
            "compressor": self._compressor,
            "zpool": _zpool,
            "max_pool_percent": _unsigned,
            "accept_threshold_percent": _unsigned,
            "shrinker_enabled": _boolean,
            "ram_bytes": self._limit,
            "max_pool_bytes": self._limit,
        }

    def __repr__(self) -> str:
        return f"<ParameterTable {dict(self)}>"

    def __getitem__(self, name: str) -> Value:
        if name not in self._write:
            raise KeyError(name)
        value: Value = getattr(self._settings, name)
        return value

    def __setitem__(self, name: str, value: Value) -> None:
        write = self._write.get(name)
        if write is None:
            raise ParameterError(ENOENT, name, value, f"the parameters are {', '.join(self._write)}")
        setattr(self._settings, name, write(name, value))

    def __delitem__(self, name: str) -> None:
        raise ParameterError(EINVAL, name, None, "a parameter can be written, not deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._write)

    def __len__(self) -> int:
        return len(self._write)

    def text(self, name: str) -> str:
        """The value as the kernel prints it: Y or N, a decimal number, a name; "max" for no limit."""
        value = self[name]
        if isinstance(value, bool):
            return "Y" if value else "N"
        return "max" if value is None else str(value)

    def _compressor(self, name: str, value: Any) -> str:
        compressor = value.strip() if isinstance(value, str) else None
        if not compressor:
            errno = EINVAL if compressor is None else ENOENT
            raise ParameterError(errno, name, value, "name an algorithm, for example 'zstd'")
        if compressor != self._settings.compressor:
            self._pools.switch_checked(compressor, name)
        return compressor

    def _limit(self, name: str, value: Any) -> int | None:
        if value is None or (isinstance(value, str) and value.strip() == "max"):
            return None
        number = number_of(value)
        if number is None:
            raise ParameterError(EINVAL, name, value, "write a number of bytes, or 'max'")
        other = "max_pool_bytes" if name == "ram_bytes" else "ram_bytes"
        if self[other] is not None:
            raise ParameterError(EINVAL, name, value, f"there is a limit by {other}; write 'max' to that first")
        return number


def number_of(value: object) -> int | None:
    """The number >= 0 that a value is, or that it says in ASCII digits with nothing but white space around; or None."""
    if isinstance(value, str):
        word = value.strip()
        return int(word) if word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS else None
    return value if type(value) is int and value >= 0 else None


def _zpool(name: str, value: Any) -> str:
    if not isinstance(value, str) or value.strip() != ZPOOL:
        raise ParameterError(ENOENT, name, value, f"the allocator is {ZPOOL!r}")
    return ZPOOL


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ParameterError(EINVAL, name, value, "write Y or N")


def _unsigned(name: str, value: Any) -> int:
    number = number_of(value)
    if number is None:
        raise ParameterError(EINVAL, name, value, "write a number, 0 or more")
    if number >= 1 << 32:
        raise ParameterError(ERANGE, name, value, "write a number below 2**32")
    return number
