"""One chain of the real driver, run on the stepped engine and recorded, for `swaplab chain`. It knows of no picture.

The engine lands one job per pass of the loop and the loop's time is virtual, so a story is the same every time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Final, Literal

import acomp
from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoWait,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_params,
    cpu,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_req_done,
    crypto_wait_req,
    fault,
    trace,
)
from iaa_emulator import Platform, machine
from iaa_emulator.testing import SteppedEngine

from .. import sim
from .recording import Recording, Result, Step

SUBMIT_FAULT: Final = "iaa.submit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What to run: `pages` requests on `devices` devices with `wqs` queues each, all from cpu 0.

    With two or more queues those after the first are global, so that the chain spreads over the devices. The device
    does not take the submission of request `fail` (-EIO); page `incompressible` does not compress (-E2BIG).
    """

    pages: int = 8
    devices: int = 4
    wqs: int = 2
    sync_mode: Literal["sync", "async", "async_irq"] = "async"
    fail: int | None = None
    incompressible: int | None = None

    def __post_init__(self) -> None:
        for name in ("fail", "incompressible"):
            which = getattr(self, name)
            if which is not None and not 0 <= which < self.pages:
                raise ValueError(
                    f"{name}: there is no request {which}; a chain of {self.pages} has 0 to {self.pages - 1}"
                )
        if self.pages < 1:
            raise ValueError(f"a chain has at least one page, not {self.pages}")


def run_story(story: Story) -> Recording:
    """Run the story in virtual time. ConfigurationError for a machine that cannot be."""
    return sim.run(_run(story))


async def _run(story: Story) -> Recording:
    built = machine(devices=story.devices, wqs_per_device=story.wqs)
    attributes = {"sync_mode": story.sync_mode, "g_wqs_per_iaa": str(int(story.wqs > 1))}
    with acomp.registry():
        async with Platform.open(built, engine=SteppedEngine(auto=True), attributes=attributes):
            with cpu.on_cpu(0):
                return await _run_chain(story)


async def _run_chain(story: Story) -> Recording:
    tfm = crypto_alloc_acomp("deflate-iaa")
    reqs = [acomp_request_alloc(tfm) for _ in range(story.pages)]
    head, wait, events = reqs[0], CryptoWait(), list[trace.Event]()
    submissions = iter(range(story.pages))
    with (
        trace.installed(events.append),
        fault.installed(lambda point: point == SUBMIT_FAULT and next(submissions) == story.fail),
    ):
        acomp_reqchain_init(head, 0, crypto_req_done, wait)
        for number, req in enumerate(reqs):
            acomp_request_set_params(req, _page(number, story), bytearray(2 * PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
            if req is not head:
                acomp_request_chain(req, head)
        code = await crypto_wait_req(crypto_acomp_compress(head), wait)
    acomp_reqchain_clear(head, wait)
    recording = Recording(
        version=metadata.version("swaplab"),
        parallel=story.sync_mode == "async",
        code=code,
        results=[Result(err=req.base.err, length_bytes=0 if req.base.err else req.dlen) for req in reqs],
        steps=_steps(events, reqs),
    )
    for req in reqs:
        acomp_request_free(req)
    return recording


def _page(number: int, story: Story) -> bytes:
    if number == story.incompressible:
        return hashlib.shake_128(b"a page that does not compress").digest(PAGE_SIZE)
    return (b"This is page %d of the story. " % number * 200)[:PAGE_SIZE]


def _steps(events: Sequence[trace.Event], reqs: Sequence[AcompReq]) -> list[Step]:
    """The events with places in the chain instead of serial numbers, which differ from run to run."""
    place = {req.serial: number for number, req in enumerate(reqs)}
    steps = []
    for event in events:
        fields = dict(event.fields)
        head = fields.pop("head", None)
        serial = fields.pop("request", head)
        request = place[serial] if isinstance(serial, int) else None
        steps.append(Step.model_validate({"kind": event.kind, "request": request, "fields": fields}))
    return steps
