"""Counts what one folio costs in each generation, for the table of docs/generations.md.

`python docs/generations.py` stores a folio of 64 KiB on the emulated accelerator as v8, v9 and v14 would, counts by
wrapping the functions in question, and writes the table again; a test fails when it is out of date.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import acomp
import zswap
from acomp import CRYPTO_ACOMP_REQ_POLL, cpu, trace
from iaa_emulator import Platform, machine
from iaa_emulator.driver.reaping import Reaping
from iaa_emulator.testing import SteppedEngine
from zswap.inventory.entries import EntryTable
from zswap.inventory.inventory import Inventory
from zswap.paths import interfaces
from zswap.pool.context import CpuContext

PAGE = Path(__file__).with_name("generations.md")
NR_PAGES = 16
GENERATIONS: tuple[Literal["v8", "v9", "v14"], ...] = ("v8", "v9", "v14")


class Row(NamedTuple):
    """One line of the table: what, how often each generation does it as its text says, and why we differ."""

    what: str
    stated: tuple[str, str, str]
    why: str = ""


ROWS = [
    Row("calls of crypto", ("2", "2", "2")),
    Row("waits for them", ("2", "0", "2"), "an array call is a coroutine, which is awaited itself"),
    Row("completion functions called", ("2", "0", "0")),
    Row("requests of a cpu", ("8", "8", "1")),
    Row(
        "sources and destinations set",
        ("16", "16", "4"),
        "v14 counts source and destination of a batch as two, and so do we",
    ),
    Row("chains begun", ("2", "0", "0")),
    Row("requests linked", ("14", "0", "0"), "the kernel moves them twice more; here the list is kept aside"),
    Row("requests with POLL on, when submitted", ("16", "16", "0"), "v14 sets it once, when the module is loaded"),
    Row("jobs of the device", ("16", "16", "16")),
    Row("looks that found a job finished", ("16", "16", "16"), "whoever waits looks when all have landed, not before"),
    Row("times a context is locked", ("1", "2", "2")),
    Row("entries allocated one by one", ("16", "16", "0")),
    Row("entries allocated in bulk, times", ("0", "0", "2")),
    Row("zsmalloc allocations", ("16", "16", "16")),
]

NO_COUNTERPART = (
    "Rows of the text without a counterpart here: SG entries initialised (a source is a view, a destination a buffer), "
    "steps over SG lists (tables are tuples), small arrays on the stack, requests of the driver's own, and the "
    "driver's mutex of v12 to v14: jobs are objects, and nothing of the driver's is shared between two of them."
)


def counted(generation: Literal["v8", "v9", "v14"]) -> dict[str, int]:
    """What storing one folio does, by the names of the rows."""
    counts: Counter[str] = Counter()
    asyncio.run(_store(generation, counts))
    return {row.what: counts[row.what] for row in ROWS}


async def _store(generation: Literal["v8", "v9", "v14"], counts: Counter[str]) -> None:
    data = b"".join((b"page %d of a folio; " % number * 300)[:4096] for number in range(NR_PAGES))
    params = zswap.Params.for_generation(generation, compressor="deflate-iaa")
    with acomp.registry(), ExitStack() as stack:
        attributes = {"g_wqs_per_iaa": "1", "sync_mode": "async"}
        built = machine(devices=4, wqs_per_device=2)
        platform = Platform.open(built, engine=SteppedEngine(auto=True), attributes=attributes)
        for what, target, name, how_many in WRAPPED:
            stack.enter_context(patch.object(target, name, _counting(counts, what, getattr(target, name), how_many)))
        async with platform, zswap.Zswap.open(params) as store:
            with cpu.on_cpu(0):
                assert await store.store(zswap.Folio(100, data))  # the context's requests are there from now on
                counts.clear()
                with trace.installed(lambda event: counts.update([event.kind])):
                    assert await store.store(zswap.Folio(0, data))
                counts["times a context is locked"] = counts["zswap.context.lock"]
                counts["requests of a cpu"] = LOOKED_AT[-1]


LOOKED_AT: list[int] = []
"""How many requests the contexts had that were given back."""


HowMany = Callable[..., int]


def _once(*_: Any) -> int:
    return 1


WRAPPED: list[tuple[str, Any, str, HowMany]] = [
    ("calls of crypto", interfaces, "crypto_acomp_compress", _once),
    ("calls of crypto", interfaces, "crypto_acomp_batch_compress", _once),
    ("waits for them", interfaces, "crypto_wait_req", _once),
    ("completion functions called", interfaces, "crypto_req_done", _once),
    ("completion functions called", acomp.chain, "crypto_req_done", _once),
    ("sources and destinations set", interfaces, "acomp_reqchain_fill", lambda reqs, *_: len(reqs)),
    ("sources and destinations set", acomp.units.arrays, "acomp_request_set_params", _once),
    ("sources and destinations set", interfaces, "acomp_request_set_src_folio", _once),
    ("sources and destinations set", interfaces, "acomp_request_set_dst_sg", _once),
    ("chains begun", interfaces, "acomp_reqchain_init", _once),
    ("requests linked", interfaces, "acomp_reqchain_fill", lambda reqs, *_: len(reqs) - 1),
    (
        "requests with POLL on, when submitted",
        SteppedEngine,
        "submit",
        lambda _, job: int(bool(job.req.flags & CRYPTO_ACOMP_REQ_POLL)),
    ),
    ("jobs of the device", SteppedEngine, "submit", _once),
    ("looks that found a job finished", Reaping, "read", _once),
    ("entries allocated one by one", EntryTable, "alloc", lambda _, nr: nr),
    ("entries allocated in bulk, times", EntryTable, "alloc_bulk", _once),
    ("", CpuContext, "unlock", lambda context: LOOKED_AT.append(context.nr_reqs) or 0),
    ("zsmalloc allocations", Inventory, "fill", lambda _, entries, *__: len(entries)),
]


def _counting(counts: Counter[str], what: str, function: Any, how_many: HowMany) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        counts[what] += how_many(*args)
        return function(*args, **kwargs)

    return wrapped


def costs() -> Iterator[str]:
    """The table: what was stated, what was counted, and why they differ."""
    found = [counted(generation) for generation in GENERATIONS]
    headings = " | ".join(f"{generation}: stated | counted" for generation in GENERATIONS)
    yield f"| per folio of 64 KiB | {headings} | why they differ |"
    yield "|---|" + "---:|" * 6 + "---|"
    for row in ROWS:
        pairs = [f"{stated} | {here[row.what]}" for stated, here in zip(row.stated, found, strict=True)]
        yield f"| {row.what} | {' | '.join(pairs)} | {row.why} |"
    yield ""
    yield NO_COUNTERPART


def drawn(text: str) -> str:
    """`text` with the table made anew."""
    begin, end = "<!-- costs -->", "<!-- end of costs -->"
    return re.sub(f"{begin}.*?{end}", "\n".join([begin, *costs(), end]), text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
