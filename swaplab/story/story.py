"""One chain of the real driver, or the same pages by another interface, run on the stepped engine and recorded, for
`swaplab chain`. It knows of no picture.

The engine lands one job per pass of the loop and the loop's time is virtual, so a story is the same every time.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from errno import EINVAL
from importlib import metadata
from typing import Final, Literal

import acomp
from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoWait,
    SgEntry,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_dst_sg,
    acomp_request_set_params,
    acomp_request_set_src_folio,
    acomp_request_set_unit_size,
    cpu,
    crypto_acomp_batch_compress,
    crypto_acomp_batch_size,
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

    `interface` is how the pages go down: a chain of requests (v8), arrays (v9) or units of one request (v14); the
    last two run in parallel whatever `sync_mode` says. With two or more queues those after the first are global, so
    that the chain spreads over the devices. The device does not take the submission of request `fail` (-EIO); page
    `incompressible` does not compress (-E2BIG).
    """

    pages: int = 8
    devices: int = 4
    wqs: int = 2
    sync_mode: Literal["sync", "async", "async_irq"] = "async"
    interface: Literal["chain", "array", "unit"] = "chain"
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
                return await _run_pages(story)


async def _run_pages(story: Story) -> Recording:
    tfm = crypto_alloc_acomp("deflate-iaa")
    reqs = [acomp_request_alloc(tfm) for _ in range(1 if story.interface == "unit" else story.pages)]
    pages = [_page(number, story) for number in range(story.pages)]
    events = list[trace.Event]()
    submissions = iter(range(story.pages))
    with (
        trace.installed(events.append),
        fault.installed(lambda point: point == SUBMIT_FAULT and next(submissions) == story.fail),
    ):
        code, results = await _RUN[story.interface](reqs, pages)
    recording = Recording(
        version=metadata.version("swaplab"),
        interface=story.interface,
        parallel=story.interface != "chain" or story.sync_mode == "async",
        code=code,
        results=results,
        steps=_steps(events, reqs),
    )
    for req in reqs:
        acomp_request_free(req)
    return recording


Outcome = tuple[int, list[Result]]


async def _run_chain(reqs: list[AcompReq], pages: list[bytes]) -> Outcome:
    """v8: a request for each page, chained to the first."""
    head, wait = reqs[0], CryptoWait()
    acomp_reqchain_init(head, 0, crypto_req_done, wait)
    for req, page in zip(reqs, pages, strict=True):
        acomp_request_set_params(req, page, bytearray(2 * PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
        if req is not head:
            acomp_request_chain(req, head)
    code = await crypto_wait_req(crypto_acomp_compress(head), wait)
    acomp_reqchain_clear(head, wait)
    return code, [_result(req.base.err, req.dlen) for req in reqs]


async def _run_arrays(reqs: list[AcompReq], pages: list[bytes]) -> Outcome:
    """v9: requests, pages, buffers, lengths and errors side by side, as many at a call as the driver takes."""
    size = crypto_acomp_batch_size(reqs[0].tfm)
    results: list[Result] = []
    for first in range(0, len(pages), size):
        some, nr = slice(first, first + size), len(pages[first : first + size])
        lengths, errors = [0] * nr, [0] * nr
        buffers = [bytearray(2 * PAGE_SIZE) for _ in range(nr)]
        await crypto_acomp_batch_compress(reqs[some], pages[some], buffers, lengths, errors, nr)
        results += map(_result, errors, lengths)
    return -EINVAL if any(result.err for result in results) else 0, results


async def _run_units(reqs: list[AcompReq], pages: list[bytes]) -> Outcome:
    """v14: one request, with the pages as its units."""
    (req,) = reqs
    entries = [SgEntry(bytearray(PAGE_SIZE)) for _ in pages]
    acomp_request_set_src_folio(req, b"".join(pages), 0, len(pages) * PAGE_SIZE)
    acomp_request_set_dst_sg(req, entries, len(pages) * PAGE_SIZE)
    acomp_request_set_unit_size(req, PAGE_SIZE)
    code = await crypto_wait_req(crypto_acomp_compress(req), CryptoWait())
    return code, [_result(min(entry.length, 0), entry.length) for entry in entries]


_RUN: Final[dict[str, Callable[[list[AcompReq], list[bytes]], Awaitable[Outcome]]]] = {
    "chain": _run_chain,
    "array": _run_arrays,
    "unit": _run_units,
}


def _result(err: int, length: int) -> Result:
    return Result(err=err, length_bytes=0 if err else length)


def _page(number: int, story: Story) -> bytes:
    if number == story.incompressible:
        return hashlib.shake_128(b"a page that does not compress").digest(PAGE_SIZE)
    return (b"This is page %d of the story. " % number * 200)[:PAGE_SIZE]


def _steps(events: Sequence[trace.Event], reqs: Sequence[AcompReq]) -> list[Step]:
    """The events with places among the pages instead of serial numbers, which differ from run to run."""
    place = {req.serial: number for number, req in enumerate(reqs)}
    steps = []
    for event in events:
        fields = dict(event.fields)
        head = fields.pop("head", None)
        serial = fields.pop("request", head)
        unit = fields.pop("unit", None)
        request = place[serial] if isinstance(serial, int) else None
        request = unit if isinstance(unit, int) else request
        steps.append(Step.model_validate({"kind": event.kind, "request": request, "fields": fields}))
    return steps
