"""A store as a tree of small text files, where the kernel has them.

    /sys/module/zswap/parameters/compressor            read and write
    /sys/kernel/debug/zswap/stored_pages               read
    /sys/fs/cgroup/<path>/memory.zswap.max             read and write; .current, .writeback, memory.stat, ...

For tools that know these paths, and for people who do. It holds nothing: each read asks the store.
"""

from collections.abc import Callable, Iterable, Iterator
from errno import EACCES, EINVAL, ENOENT
from typing import Final

from .cgroup import Cgroup
from .errors import ParameterError
from .parameter_table import number_of
from .zswap import Zswap

PARAMETERS: Final = "/sys/module/zswap/parameters/"
DEBUG: Final = "/sys/kernel/debug/zswap/"
CGROUPS: Final = "/sys/fs/cgroup"

_LIMITS: Final = {"memory.zswap.max": "zswap_max", "memory.high": "memory_high", "memory.max": "memory_max"}
_EVENTS: Final = ("high", "max", "fail")


class TextTree:
    """The files of `store` and of `cgroups` (and their descendants). Text ends with a newline, as in the kernel."""

    def __init__(self, store: Zswap, cgroups: Iterable[Cgroup] = ()) -> None:
        self._store = store
        self._cgroups = tuple(cgroups)

    def __iter__(self) -> Iterator[str]:
        """Every path."""
        yield from (PARAMETERS + name for name in self._store.params)
        yield from (DEBUG + name for name in self._store.stats())
        for cgroup in self._walk():
            yield from (f"{CGROUPS}{cgroup.path.rstrip('/')}/{name}" for name in self._files(cgroup))

    def read(self, path: str) -> str:
        """The text of a file; OSError(ENOENT) if there is none."""
        folder, _, name = path.rpartition("/")
        if folder + "/" == PARAMETERS and name in self._store.params:
            return self._store.params.text(name) + "\n"
        if folder + "/" == DEBUG and name in self._store.stats():
            return f"{self._store.stats()[name]}\n"
        files = self._files(self._cgroup(path, folder))
        if name not in files:
            raise OSError(ENOENT, "no such file", path)
        return files[name]() + "\n"

    def write(self, path: str, text: str) -> None:
        """Write a file: ParameterError as the parameter's rules say, OSError(ENOENT or EACCES) for other files."""
        folder, _, name = path.rpartition("/")
        if folder + "/" == PARAMETERS and name in self._store.params:
            self._store.params[name] = text
            return
        self.read(path)
        cgroup = self._cgroup(path, folder) if path.startswith(CGROUPS) else None
        if cgroup is not None and name in _LIMITS:
            setattr(cgroup, _LIMITS[name], _limit(name, text))
        elif cgroup is not None and name == "memory.zswap.writeback":
            if text.strip() not in ("0", "1"):
                raise ParameterError(EINVAL, name, text, "write 0 or 1")
            cgroup.zswap_writeback = text.strip() == "1"
        else:
            raise OSError(EACCES, "this file can only be read", path)

    def _walk(self) -> Iterator[Cgroup]:
        for cgroup in self._cgroups:
            yield from cgroup.walk()

    def _cgroup(self, path: str, folder: str) -> Cgroup:
        for cgroup in self._walk():
            if CGROUPS + cgroup.path.rstrip("/") == folder:
                return cgroup
        raise OSError(ENOENT, "no such file", path)

    def _files(self, cgroup: Cgroup) -> dict[str, Callable[[], str]]:
        return {
            **{name: lambda field=field: _shown(getattr(cgroup, field)) for name, field in _LIMITS.items()},  # type: ignore[misc]
            "memory.current": lambda: str(cgroup.memory_current),
            "memory.zswap.current": lambda: str(cgroup.zswap_current),
            "memory.zswap.writeback": lambda: str(int(cgroup.zswap_writeback)),
            "memory.stat": lambda: "\n".join(
                [
                    f"zswap {cgroup.zswap_current}",
                    f"zswapped {cgroup.zswapped * 4096}",
                    *(f"{name} {count}" for name, count in sorted(cgroup.events.items()) if name not in _EVENTS),
                ]
            ),
            "memory.events": lambda: "\n".join(f"{name} {cgroup.events[name]}" for name in ("high", "max")),
        }


def _shown(limit: int | None) -> str:
    return "max" if limit is None else str(limit)


def _limit(name: str, text: str) -> int | None:
    word = text.strip()
    if word == "max":
        return None
    number = number_of(word)
    if number is None:
        raise ParameterError(EINVAL, name, text, "write a number of bytes, or 'max'")
    return number
