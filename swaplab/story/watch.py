"""What of a script's objects can be seen from outside, and what has changed since it was looked at last."""

from typing import Any
from zlib import crc32

from acomp import AcompReq, CryptoWait, SgEntry, acomp_chain_members
from acomp.chain import chain_state
from acomp.states import RequestState
from iaa_emulator import Platform
from zswap import Zswap

from .answer import ChainView, DeviceView, ListView, RequestView, StoreView, View, WaitView
from .objects import Objects
from .stores import counters_of


class Watch:
    """The views of everything that has a name, and of the devices.

    Everything is looked at after each call, so a look is a tuple, and a view is made of what has changed.
    """

    def __init__(self, objects: Objects, platform: Platform) -> None:
        self._objects = objects
        self._platform = platform
        self._seen: dict[str, tuple[Any, ...]] = {}
        self.changed()

    def changed(self) -> dict[str, View]:
        """The views that are not what they were the last time."""
        changed: dict[str, View] = {}
        for name, thing in self._objects.bound().items():
            if isinstance(thing, AcompReq):
                head = thing.chain.head if thing.chained and thing.chain is not None else None
                if self._is_new(name, (_state(thing), head, thing.base.err, thing.dlen)):
                    changed[name] = self._request(thing, head)
                self._add_chain(f"{name}.chain", thing, changed)
            elif isinstance(thing, CryptoWait):
                if self._is_new(name, (thing.done, thing.err)):
                    changed[name] = WaitView(done=thing.done, err=self._objects.value(thing.err))
            elif isinstance(thing, list | SgEntry):
                items = thing if isinstance(thing, list) else [thing]
                values = tuple([item.length if type(item) is SgEntry else item for item in items])
                if self._is_new(name, values):
                    changed[name] = ListView(values=[self._objects.value(value) for value in values])
            elif isinstance(thing, Zswap):
                pages, counters = thing.stats()["stored_pages"], counters_of(thing)
                if self._is_new(name, (pages, counters)):
                    changed[name] = StoreView(pages=pages, counters=counters)
        for device in self._platform.devices:
            queues = {wq.name: wq.in_flight for wq in device.bound_queues}
            if self._is_new(f"machine.{device.name}", (queues, self._platform.enabled)):
                changed[f"machine.{device.name}"] = DeviceView(queues=queues, enabled=self._platform.enabled)
        return changed

    def _is_new(self, name: str, look: tuple[Any, ...]) -> bool:
        if self._seen.get(name) == look:
            return False
        self._seen[name] = look
        return True

    def _request(self, req: AcompReq, head: AcompReq | None) -> RequestView:
        chained_to = None if head is None else self._objects.name_of(head)
        return RequestView(state=_state(req), chained_to=chained_to, err=req.base.err, dlen=req.dlen)

    def _add_chain(self, name: str, head: AcompReq, changed: dict[str, View]) -> None:
        """The chain of a request, if it is the head of one, or has been."""
        state = chain_state(head)
        if state == "single" and name not in self._seen:
            return
        running = head.chain.running[1:] if head.chain is not None else ()
        members = () if state == "single" else running or acomp_chain_members(head)
        if self._is_new(name, (state, members)):
            changed[name] = ChainView(state=state, members=[self._objects.name_of(req) or "-" for req in members])


def _state(req: AcompReq) -> RequestState:
    """The state as acomp's errors have it: a request that was left to its job by a cancelled caller is `in_flight`."""
    return "in_flight" if req.state == "idle" and req.jobs else req.state


def checksum(req: AcompReq) -> int | None:
    """CRC-32 of what a request has written, entry by entry if it has a table; None without a destination."""
    if req.dst is None:
        return None
    if isinstance(req.dst, tuple):
        found = 0
        for entry in req.dst:
            found = crc32(memoryview(entry.buffer)[: max(entry.length, 0)], found)
        return found
    with memoryview(req.dst) as view:
        return crc32(view[: req.dlen])
