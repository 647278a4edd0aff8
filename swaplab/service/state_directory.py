"""`--state DIR`: a directory that one server has for itself, with a folder for each store and each cache.

    DIR/lock
    DIR/stores/NAME/meta.json      what it was made with, `swaplab.state/1`
    DIR/stores/NAME/1.log          its values
    DIR/caches/NAME/...

Blocking; used at start-up and when something is made or removed.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from errno import EACCES, EWOULDBLOCK
from pathlib import Path
from typing import Any, Final, Literal

SCHEMA: Final = "swaplab.state/1"

Room = Literal["stores", "caches"]


class StateDirectory:
    """The directory, locked. OSError, with the remedy, for one that is somebody else's, a link, or in use."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._lock = -1
        try:
            owner = os.fstat(self._fd)
            if owner.st_uid != os.geteuid():
                raise OSError(EACCES, f"the directory belongs to user {owner.st_uid}; name one of your own", str(path))
            os.fchmod(self._fd, 0o700)
            self._lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._fd)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            self.close()
            if isinstance(error, BlockingIOError):
                raise OSError(EWOULDBLOCK, "another server uses the directory; stop it first", str(path)) from None
            raise

    def close(self) -> None:
        """Let another server have it."""
        for fd in (self._lock, self._fd):
            if fd >= 0:
                os.close(fd)
        self._lock = self._fd = -1

    def folder(self, room: Room, name: str) -> Path:
        """Where a store or a cache lies."""
        return self.path / room / name

    def make(self, room: Room, name: str, settings: dict[str, Any]) -> Path:
        """A folder for a new store or cache, with what it was made with; what is left of an old one goes."""
        self.remove(room, name)
        folder = self.folder(room, name)
        folder.mkdir(mode=0o700, parents=True)
        text = json.dumps({"schema": SCHEMA, "settings": settings}, indent=2, sort_keys=True) + "\n"
        unfinished = folder / "meta.json.new"
        with open(unfinished, "x", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(folder / "meta.json")
        return folder

    def remove(self, room: Room, name: str) -> None:
        """Take a store or a cache away; first what it was made with, so that no end leaves half of it to be found."""
        folder = self.folder(room, name)
        with suppress(FileNotFoundError):
            (folder / "meta.json").unlink()
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def found(self, room: Room) -> Iterator[tuple[str, Path, dict[str, Any]]]:
        """What was kept: name, folder, and settings; ValueError for a file that this version does not understand."""
        for path in sorted((self.path / room).glob("*/meta.json")):
            meta = json.loads(path.read_text())
            if not isinstance(meta, dict) or meta.get("schema") != SCHEMA or not isinstance(meta.get("settings"), dict):
                raise ValueError(f"{path} is not of {SCHEMA}; move its folder away, or use the version that wrote it")
            yield path.parent.name, path.parent, meta["settings"]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
