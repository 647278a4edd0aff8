"""The stores and the caches of a service by name, and how they come back from `--state`."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ValidationError

import acomp
import zswap

from .bounds import MAX_ROOMS
from .log_lines import tell
from .log_thread import LogThread
from .log_writer import LogWriter, Sync
from .models import Opened
from .problems import RefusalError, no_such
from .state_directory import Room, StateDirectory
from .value_log import ValueLog


class Kept(Protocol):
    """A store or a cache."""

    name: str
    opened: Opened

    @property
    def settings(self) -> BaseModel:
        """What it was made with."""

    async def open(self) -> Self:
        """Make it; what makes no sense raises."""

    async def restore(self, log: ValueLog, writer: LogWriter) -> None:
        """Come back from a log, and write to it from now on."""

    async def close(self) -> None:
        """End it."""


One = TypeVar("One", bound=Kept)
Settings = TypeVar("Settings", bound=BaseModel)


class State:
    """Where the logs are, how they are written, and the one thread that does it."""

    def __init__(self, directory: Path, sync: Sync) -> None:
        self.directory = StateDirectory(directory)
        self.sync = sync
        self.thread = LogThread()

    def close(self) -> None:
        """Nothing is written any more."""
        self.thread.close()
        self.directory.close()


class Rooms(Generic[One, Settings]):
    """All stores, or all caches. `kind` is "store" or "cache"; `room` its plural, in paths and on disk."""

    def __init__(
        self,
        kind: str,
        room: Room,
        settings: type[Settings],
        make: Callable[[str, Settings], One],
        state: State | None,
    ) -> None:
        self.kind = kind
        self.room: Room = room
        self._settings = settings
        self._make = make
        self._state = state
        self._by_name: dict[str, One] = {}
        self._changing = asyncio.Lock()

    def __iter__(self) -> Iterator[One]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __getitem__(self, name: str) -> One:
        one = self._by_name.get(name)
        if one is None:
            raise no_such(self.kind, name, f"/v1/{self.room}/{name}")
        return one

    @property
    def names(self) -> list[str]:
        """Of all, in order."""
        return sorted(self._by_name)

    async def load(self) -> None:
        """Take in what the state directory has. OSError and ValueError where that is not to be read."""
        state = self._state
        if state is None:
            return
        for name, folder, settings in await state.thread.call(lambda: list(state.directory.found(self.room))):
            try:
                one = await self._make(name, self._settings.model_validate(settings)).open()
            except (ValidationError, acomp.AcompError, zswap.ZswapError) as error:
                raise ValueError(f"{folder / 'meta.json'}: {error}; move {folder} away to start without it") from error
            self._by_name[name] = one
            await self._attach(one, folder)

    async def put(self, name: str, settings: Settings) -> bool:
        """Make one, or find one that was made with the same settings: whether it was made.

        RefusalError: 409 where there is another one, 422 for settings that make no sense, 507 for one too many.
        """
        async with self._changing:
            there = self._by_name.get(name)
            if there is not None:
                if there.settings != settings:
                    cause = f"there is another {self.kind} {name!r}, with {there.settings.model_dump_json()}"
                    raise RefusalError(409, cause, "delete it first, or take another name")
                return False
            if len(self._by_name) == MAX_ROOMS:
                raise RefusalError(507, f"there are {MAX_ROOMS} already", f"delete a {self.kind}")
            try:
                one = await self._make(name, settings).open()
            except (acomp.AcompError, zswap.ZswapError, ValueError) as error:
                raise RefusalError(422, str(error), "change the settings") from error
            try:
                if self._state is not None:
                    make = partial(self._state.directory.make, self.room, name, settings.model_dump(mode="json"))
                    await self._attach(one, await self._state.thread.call(make))
            except BaseException:
                await one.close()
                raise
            self._by_name[name] = one
            return True

    async def delete(self, name: str) -> None:
        """End one, and forget all of it. RefusalError 404 if there is none."""
        async with self._changing:
            one = self[name]
            del self._by_name[name]
            await one.close()
            if self._state is not None:
                await self._state.thread.call(partial(self._state.directory.remove, self.room, name))

    async def close(self) -> None:
        """End all; what was acknowledged is in the logs."""
        async with self._changing:
            while self._by_name:
                _, one = self._by_name.popitem()
                await one.close()

    async def _attach(self, one: One, folder: Path) -> None:
        assert self._state is not None
        log = await self._state.thread.call(partial(ValueLog, folder))
        await one.restore(log, LogWriter(log, self._state.sync, self._state.thread))
        opened = one.opened
        if opened.cut_bytes or opened.damaged:
            tell("damaged", logging.WARNING, room=self.room, name=one.name, **opened.model_dump())
