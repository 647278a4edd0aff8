"""What of a script's objects can be seen from outside, and what has changed since it was looked at last."""

from typing import Any
from zlib import crc32

from acomp import AcompReq, CryptoWait, SgEntry, acomp_chain_members
from acomp.chain import chain_state
from iaa_emulator import Platform

from .answer import ChainView, DeviceView, ListView, RequestView, View, WaitView
from .objects import Objects


class Watch:
    """The views of everything that has a name, and of the devices."""

    def __init__(self, objects: Objects, platform: Platform) -> None:
        self._objects = objects
        self._platform = platform
        self._seen: dict[str, View] = {}
        self._seen = self._views()

    def changed(self) -> dict[str, View]:
        """The views that are not what they were the last time."""
        views = self._views()
        changed = {name: view for name, view in views.items() if self._seen.get(name) != view}
        self._seen = views
        return changed

    def _views(self) -> dict[str, View]:
        views: dict[str, View] = {}
        for name, thing in self._objects.bound().items():
            if isinstance(thing, AcompReq):
                views[name] = self._request(thing)
                self._add_chain(name, thing, views)
            elif isinstance(thing, CryptoWait):
                views[name] = WaitView(done=thing.done, err=self._objects.value(thing.err))
            elif isinstance(thing, list | SgEntry):
                items = thing if isinstance(thing, list) else [thing]
                views[name] = ListView(values=[self._listed(item) for item in items])
        for device in self._platform.devices:
            queues = {wq.name: wq.in_flight for wq in device.bound_queues}
            views[f"machine.{device.name}"] = DeviceView(queues=queues, enabled=self._platform.enabled)
        return views

    def _request(self, req: AcompReq) -> RequestView:
        head = req.chain.head if req.chained and req.chain is not None else None
        chained_to = None if head is None else self._objects.name_of(head)
        return RequestView(state=req.state, chained_to=chained_to, err=req.base.err, dlen=req.dlen)

    def _add_chain(self, name: str, head: AcompReq, views: dict[str, View]) -> None:
        """The chain of a request, if it is the head of one, or has been."""
        key = f"{name}.chain"
        state = chain_state(head)
        if state == "single":
            if key in self._seen:
                views[key] = ChainView(state=state, members=[])
            return
        running = head.chain.running[1:] if head.chain is not None else ()
        members = running or acomp_chain_members(head)
        views[key] = ChainView(state=state, members=[self._objects.name_of(req) or "-" for req in members])

    def _listed(self, item: Any) -> Any:
        return item.length if isinstance(item, SgEntry) else self._objects.value(item)


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
