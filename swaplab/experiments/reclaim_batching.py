"""Reclaim batching: chains across folios, longer than the store's eight, for 4 KiB folios too.

The series announced it and never brought it: reclaim would hand several folios at once to the compressor. So there is
nothing to be faithful to, and the question is asked one level below the store: processes take pages off the inactive
list, compress them in chains of a given length, and pay what the store pays per page (reclaim, shared lock, the rest).
A chain of 1 is what v8 does with 4 KiB folios.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoWait,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_err,
    acomp_request_free,
    acomp_request_set_callback,
    acomp_request_set_params,
    cpu,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
)
from swaplab.experiments.tables import run_each
from swaplab.model.columns import V8
from swaplab.model.corpus import pages_of, usemem_corpus
from swaplab.model.machine import Setup, open_machine, simulate
from swaplab.model.testbed import load_testbed

CHAINS = (1, 2, 4, 8, 16, 32)
PROCESSES = (1, 8, 30)
NOTICED = 0.02
"""Paces that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Trial:
    """So many processes that reclaim so many pages each, in chains of this length."""

    testbed: str
    processes: int
    chain: int
    devices: int = 8
    pages: int = 2048


class Finding(BaseModel):
    """What a trial gave: pages per second of virtual time, the share of it in which engines worked, pages not done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processes: int
    chain: int
    pages_per_s: float
    ns_per_page: float = Field(description="of one process")
    engines_busy: float = Field(description="part of the time, mean of all compress engines that did anything")
    failed_pages: int = Field(description="refused by the driver, most likely for want of descriptors")


class ReclaimReport(BaseModel):
    """What `swaplab reclaim-batching` found; nothing in it depends on the host."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["swaplab.reclaim-batching/1"] = Field("swaplab.reclaim-batching/1", alias="schema")
    swaplab: str
    testbed: str
    devices: int
    findings: tuple[Finding, ...]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def finding(self, processes: int, chain: int) -> Finding:
        """One of them; KeyError when it was not asked for."""
        return {(each.processes, each.chain): each for each in self.findings}[processes, chain]

    def sentence(self, processes: int) -> str:
        """What chains give these processes, from which length on they give no more, and what too long ones lose."""
        own = sorted((each for each in self.findings if each.processes == processes), key=lambda each: each.chain)
        first, count = own[0].chain, "1 process" if processes == 1 else f"{processes} processes"
        if len(own) == 1:
            return f"{count}: no other length than {first} was tried."
        best = max(own, key=lambda each: each.pages_per_s)
        enough = next(each for each in own if each.pages_per_s >= (1 - NOTICED) * best.pages_per_s)
        longer = own[own.index(enough) + 1 :]
        if enough is own[0]:
            return f"{count}: longer chains than {first} give nothing{_lost(enough, longer)}."
        no_more = f"; longer ones no more{_lost(enough, longer)}" if longer else ""
        gain = enough.pages_per_s / own[0].pages_per_s - 1
        return f"{count}: chains of {enough.chain} give {gain:+.0%} over chains of {first}{no_more}."


def _lost(enough: Finding, longer: Sequence[Finding]) -> str:
    """Which longer chains are worse, from the first one that is, and by how much at most."""
    worse = [each for each in longer if each.pages_per_s < (1 - NOTICED) * enough.pages_per_s]
    if not worse:
        return ""
    loss = 1 - min(each.pages_per_s for each in worse) / enough.pages_per_s
    which, most = (f"of {worse[0].chain}", "") if len(worse) == 1 else (f"from {worse[0].chain} on", "up to ")
    return f", and those {which} lose {most}{loss:.0%}"


def reclaim_report(
    testbed: str,
    processes: Sequence[int] = PROCESSES,
    chains: Sequence[int] = CHAINS,
    devices: int = 8,
    workers: int = 1,
    ran: Callable[[], object] = bool,
) -> ReclaimReport:
    """Every number of processes with every length of chain."""
    trials = [Trial(testbed, count, chain, devices) for count in processes for chain in chains]
    findings = run_each(run_trial, trials, workers, ran)
    return ReclaimReport(
        swaplab=version("swaplab"), testbed=load_testbed(testbed).name, devices=devices, findings=tuple(findings)
    )


def run_trial(trial: Trial) -> Finding:
    """One trial in virtual time."""
    return simulate(_run(trial))


async def _run(trial: Trial) -> Finding:
    testbed = load_testbed(trial.testbed)
    setup = Setup(testbed, V8, "deflate-iaa", "4K", devices=trial.devices)
    pages = pages_of(usemem_corpus(testbed.usemem.pages_per_process, 1))
    lock = asyncio.Lock()
    async with open_machine(setup, 1, {"mm.reclaim": testbed.ns("mm.reclaim_ns", "4K")}) as machine:
        began_ns = cpu.now_ns()
        async with asyncio.TaskGroup() as group:
            reclaimers = [group.create_task(_reclaim(index, trial, pages, lock)) for index in range(trial.processes)]
        took_ns = cpu.now_ns() - began_ns
        busy_ns = [ns for ns in machine.engine.busy_ns.values() if ns]
    done = trial.processes * trial.pages
    engines = len(busy_ns) * testbed.compress_engines
    return Finding(
        processes=trial.processes,
        chain=trial.chain,
        pages_per_s=done * 1e9 / took_ns,
        ns_per_page=took_ns / trial.pages,
        engines_busy=sum(busy_ns) / (engines * took_ns),
        failed_pages=sum(reclaimer.result() for reclaimer in reclaimers),
    )


async def _reclaim(index: int, trial: Trial, pages: Sequence[bytes], lock: asyncio.Lock) -> int:
    """One process from its first page to its last; the pages that failed."""
    failed = 0
    with cpu.on_cpu(index % cpu.nr_cpu_ids()):
        tfm = crypto_alloc_acomp("deflate-iaa")
        reqs = [acomp_request_alloc(tfm) for _ in range(trial.chain)]
        wait = CryptoWait()
        acomp_request_set_callback(reqs[0], 0, crypto_req_done, wait)
        for first in range(0, trial.pages, trial.chain):
            batch = [pages[(first + k) % len(pages)] for k in range(min(trial.chain, trial.pages - first))]
            failed += await _swap_out(batch, reqs, wait, lock)
        await cpu.settle()
        for req in reqs:
            acomp_request_free(req)
        crypto_free_acomp(tfm)
    return failed


async def _swap_out(batch: Sequence[bytes], reqs: Sequence[AcompReq], wait: CryptoWait, lock: asyncio.Lock) -> int:
    """Reclaim, compress and account for some pages of as many folios, as the store would; how many failed."""
    cpu.charge("mm.reclaim", len(batch))
    head = reqs[0]
    for k, page in enumerate(batch):
        acomp_request_set_params(reqs[k], page, bytearray(PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
        if k:
            acomp_request_chain(reqs[k], head)
        elif len(batch) > 1:
            acomp_reqchain_init(head, 0, crypto_req_done, wait)
    err = await crypto_wait_req(crypto_acomp_compress(head), wait)
    errs = [err]
    if len(batch) > 1:
        errs = [acomp_request_err(req) for req in reqs[: len(batch)]]
        acomp_reqchain_clear(head, wait)
    await cpu.settle()
    async with lock:
        cpu.charge("zswap.lru_hold", len(batch))
        await cpu.settle()
    cpu.charge("zswap.store_page", len(batch))
    return sum(map(bool, errs))
