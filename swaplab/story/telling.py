"""A story, which is what `swaplab chain` is asked for, and the script that tells it."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINPROGRESS
from typing import Any, Final, Literal

from acomp import PAGE_SIZE
from iaa_emulator.driver.algorithm import IAA_CRYPTO_MAX_BATCH_SIZE as BATCH
from iaa_emulator.driver.faults import SUBMIT
from iaa_emulator.hardware.config import MAX_ENGINES, WORK_QUEUE_SLOTS

from . import bounds
from .script import Page, Script
from .writing import Call, alloc, call, chained, compressed, ref, request, transform

UNITS: Final = bounds.PAGE_BYTES // PAGE_SIZE
"""How many pages a script's folio has; what is more goes into another request."""
SENTENCE: Final = "This is page %d of the story. "


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What to run: `pages` requests, all from cpu 0, on `devices` devices with `wqs` queues and `engines` engines each.

    `interface` is how the pages go down: a chain of requests (v8), arrays (v9) or units of one request (v14); the
    last two run in parallel whatever `sync_mode` says. With two or more queues those after the first are global, so
    that the chain spreads over the devices. The device does not take the submission of request `fail` (-EIO); page
    `incompressible` does not compress (-E2BIG).
    """

    pages: int = 8
    devices: int = 4
    wqs: int = 2
    engines: int = MAX_ENGINES
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


def script_of(story: Story) -> Script:
    """The script that tells the story. Requests are r<page>, unit requests u<first page>."""
    told = {"chain": _chain, "array": _arrays, "unit": _units}[story.interface]
    fault = [call("fault.at", SUBMIT, story.fail + 1)] if story.fail is not None else []
    machine = {
        "devices": story.devices,
        "wqs_per_device": story.wqs,
        "wq_size": WORK_QUEUE_SLOTS // max(story.wqs, 1),
        "engines_per_device": story.engines,
        "sync_mode": story.sync_mode,
        "g_wqs_per_iaa": int(story.wqs > 1),
    }
    begin = [*transform("wait"), *fault]
    pages = _folios(story) if story.interface == "unit" else {f"p{n}": _page(n, story) for n in range(story.pages)}
    return Script.model_validate({"machine": machine, "pages": pages, "calls": [*begin, *told(story)]})


def singles(pages: int) -> Script:
    """The script of requests that stand alone, one after the other, on one device."""
    calls = transform("wait")
    for n in range(pages):
        calls += request(f"r{n}", f"p{n}")
        calls.append(call("acomp_request_set_callback", ref(f"r{n}"), 0, {"name": "crypto_req_done"}, ref("wait")))
        calls += compressed(f"r{n}")
    told = {f"p{n}": {"text": SENTENCE % n} for n in range(pages)}
    return Script.model_validate({"pages": told, "calls": calls})


def cleared() -> Script:
    """The script of a chain that runs twice, and of whose wait object more is asked each time.

    The second run is there for the clear: the wait after the first one has used the old completion up.
    """
    wait = ref("wait")
    calls = [
        *transform("wait"),
        *(one for n in range(2) for one in request(f"r{n}", f"p{n}")),
        *chained(["r0", "r1"]),
        *compressed("r0"),
        call("crypto_wait_req", -EINPROGRESS, wait),
        *compressed("r0", code="again"),
        call("acomp_reqchain_clear", ref("r0"), wait),
        call("crypto_wait_req", -EINPROGRESS, wait, task="t"),
        call("crypto_req_done", wait, 0),
        call("task.join", ref("t")),
    ]
    return Script.model_validate({"pages": {f"p{n}": _page(n, Story()) for n in range(2)}, "calls": calls})


def stored(pages: int, incompressible: int | None = None, features: str = "v8") -> Script:
    """The script of a folio that goes into a compressed store; if it is in, one of its pages comes out again."""
    story = Story(pages=pages, incompressible=incompressible)
    which = pages // 2 if incompressible is None else incompressible
    folio = [{"page": f"p{n}"} for n in range(pages)]
    calls = [
        call("Zswap", "deflate-iaa", *[features] * (features != "v8"), as_="store"),
        call("zswap.store", ref("store"), 0, folio),
        call("zswap.load", ref("store"), which),
    ]
    return Script.model_validate({"pages": {f"p{n}": _page(n, story) for n in range(pages)}, "calls": calls})


def _chain(story: Story) -> Iterator[Call]:
    """v8: a request for each page, chained to the first."""
    names = [f"r{n}" for n in range(story.pages)]
    for n, name in enumerate(names):
        yield from request(name, f"p{n}")
    yield from chained(names)
    yield from compressed("r0")
    yield call("acomp_reqchain_clear", ref("r0"), ref("wait"))


def _arrays(story: Story) -> Iterator[Call]:
    """v9: requests, pages, buffers, lengths and errors side by side, as many at a call as the driver takes."""
    yield from (alloc(f"r{n}") for n in range(story.pages))
    for first in range(0, story.pages, BATCH):
        numbers = range(first, min(first + BATCH, story.pages))
        lengths, errors = f"lengths{first}", f"errors{first}"
        yield from (call("list", *[0] * len(numbers), as_=name) for name in (lengths, errors))
        yield call(
            "crypto_acomp_batch_compress",
            [ref(f"r{n}") for n in numbers],
            [{"page": f"p{n}"} for n in numbers],
            [{"buffer": 2 * PAGE_SIZE}] * len(numbers),
            ref(lengths),
            ref(errors),
            len(numbers),
        )


def _units(story: Story) -> Iterator[Call]:
    """v14: one request, with the pages as its units."""
    for first in range(0, story.pages, UNITS):
        size = min(UNITS, story.pages - first) * PAGE_SIZE
        name, entries = f"u{first}", f"entries{first}"
        yield alloc(name)
        yield call("list", *[{"sg": PAGE_SIZE}] * (size // PAGE_SIZE), as_=entries)
        yield call("acomp_request_set_src_folio", ref(name), {"page": f"f{first}"}, 0, size)
        yield call("acomp_request_set_dst_sg", ref(name), ref(entries), size)
        yield call("acomp_request_set_unit_size", ref(name), PAGE_SIZE)
        yield from compressed(name)


def _page(number: int, story: Story) -> dict[str, Any]:
    return {"random": number} if number == story.incompressible else {"text": SENTENCE % number}


def _folios(story: Story) -> dict[str, Any]:
    """The pages behind each other."""
    contents = [Page.model_validate(_page(n, story)).content for n in range(story.pages)]
    folios = {first: b"".join(contents[first : first + UNITS]) for first in range(0, story.pages, UNITS)}
    return {f"f{first}": {"base64": base64.b64encode(folio).decode()} for first, folio in folios.items()}
