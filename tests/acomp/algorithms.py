"""What the tests of acomp run on: null algorithms, scripted operations and a stepped null device. No test in here."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from errno import E2BIG, EAGAIN, EINPROGRESS
from typing import Any, Literal

import acomp
from acomp import AcompReq, Code, CryptoAcomp

ASYNC = acomp.CRYPTO_ALG_ASYNC
OPTED_IN = acomp.CRYPTO_ALG_REQ_CHAIN
CHAINS = ASYNC | OPTED_IN
PAGE = bytes(range(256)) * 16


def copy(req: AcompReq) -> int:
    """The null algorithm: the output is the input, and what does not fit is -E2BIG."""
    if not req.slen:
        return -22
    if req.slen > req.dlen:
        return -E2BIG
    req.deliver(bytes(req.source()))
    return 0


def algorithm(
    *,
    flags: int = CHAINS,
    compress: Callable[[AcompReq], Code] = copy,
    decompress: Callable[[AcompReq], Code] = copy,
    name: str = "null",
    driver_name: str | None = None,
    priority: int = 100,
    batch_size: Callable[[], int] | None = None,
    init: Callable[[CryptoAcomp], None] | None = None,
    exit: Callable[[CryptoAcomp], None] | None = None,
) -> acomp.AcompAlg:
    """An algorithm that copies, unless told otherwise; async and opted in to chains, unless told otherwise."""
    return acomp.AcompAlg(
        cra_name=name,
        cra_driver_name=driver_name or f"{name}-test",
        cra_priority=priority,
        cra_flags=flags,
        compress=compress,
        decompress=decompress,
        get_batch_size=batch_size,
        init=init,
        exit=exit,
    )


def transform(alg: acomp.AcompAlg) -> CryptoAcomp:
    """A transform of `alg` from a registry of its own."""
    with acomp.registry():
        assert acomp.crypto_register_acomp(alg) == 0
        return acomp.crypto_alloc_acomp(alg.cra_driver_name)


def requests(count: int, flags: int = CHAINS) -> list[AcompReq]:
    """That many requests of one fresh null transform."""
    tfm = transform(algorithm(flags=flags))
    return [acomp.acomp_request_alloc(tfm) for _ in range(count)]


class Calls(list[tuple[Any, int]]):
    """A completion function that remembers what it was called with."""

    def __call__(self, data: Any, err: int) -> None:
        self.append((data, err))


DATA = object()
"""The head's own data in these tests."""


def chained(
    count: int, calls: acomp.Completion | None = None, flags: int = CHAINS, base_flags: int = 0
) -> list[AcompReq]:
    """A head and `count - 1` members, chained in order; the head's completion is `calls` with DATA."""
    reqs = requests(count, flags)
    acomp.acomp_reqchain_init(reqs[0], base_flags, calls, DATA)
    for req in reqs[1:]:
        acomp.acomp_request_chain(req, reqs[0])
    return reqs


def errs(reqs: Sequence[AcompReq]) -> list[int]:
    """The err of each request."""
    return [acomp.acomp_request_err(req) for req in reqs]


class Ops:
    """Scripted submit and poll operations over `reqs`, known by their numbers, with a `log` such as ["s0", "p0"].

    `submits` gives the code of each request's submit (default -EINPROGRESS), `polls` those of its polls, in order
    (default: one 0). Polling on after a final code, or a request never submitted, fails the test. Submits put a handle
    of their own into `base.data`, as drivers may. With `coroutines` every code comes out of one, a pass later.
    """

    def __init__(
        self,
        reqs: Sequence[AcompReq],
        submits: Mapping[int, int] | None = None,
        polls: Mapping[int, Sequence[int]] | None = None,
        *,
        coroutines: bool = False,
    ) -> None:
        self.log: list[str] = []
        self._number = {req: number for number, req in enumerate(reqs)}
        self._submits = submits or {}
        self._polls = {number: list((polls or {}).get(number, (0,))) for number in range(len(reqs))}
        self._coroutines = coroutines

    def submit(self, req: AcompReq) -> Code:
        return self._answer(lambda: self._submit(req))

    def poll(self, req: AcompReq) -> Code:
        return self._answer(lambda: self._poll(req))

    def _submit(self, req: AcompReq) -> int:
        number = self._number[req]
        assert f"s{number}" not in self.log, f"request {number} was submitted twice"
        self.log.append(f"s{number}")
        req.base.data = f"job {number}"
        return self._submits.get(number, -EINPROGRESS)

    def _poll(self, req: AcompReq) -> int:
        number = self._number[req]
        assert f"s{number}" in self.log, f"request {number} was polled before it was submitted"
        self.log.append(f"p{number}")
        assert self._polls[number], f"request {number} was polled after its final code"
        return self._polls[number].pop(0)

    def _answer(self, step: Callable[[], int]) -> Code:
        if not self._coroutines:
            return step()

        async def later() -> int:
            await asyncio.sleep(0)
            return step()

        return later()


class Job:
    """One request in the stepped device. It holds the request until it has landed."""

    def __init__(self, req: AcompReq) -> None:
        self.req = req
        self.landed = False
        acomp.acomp_request_get(req)


Mode = Literal["parallel", "serial", "interrupt"]


class Stepped:
    """A null device with a batch size of 8 whose jobs land when told, oldest first: `land()`, or with `auto` by
    themselves, one in so many passes of the loop.

    `mode` says how the methods serve a request: "parallel" polls, "serial" awaits each job in turn, "interrupt" begins
    each job in turn and calls the completion function when it lands.
    """

    def __init__(self, mode: Mode = "parallel", *, auto: bool = False, passes: int = 1) -> None:
        self.mode = mode
        self.auto = auto
        self.passes = passes
        self.queue: list[Job] = []
        self.abandoned: list[AcompReq] = []
        self._relaxed: list[tuple[set[Job], asyncio.Future[None]]] = []
        self._landings: dict[Job, asyncio.Future[None]] = {}
        self.tfm = transform(algorithm(compress=self.run, decompress=self.run, batch_size=lambda: 8))

    def run(self, req: AcompReq) -> Code:
        if self.mode == "parallel":
            return acomp.acomp_do_async_req_chain(req, self.submit, self.poll, self.relax, self.abandon)
        return acomp.acomp_do_req_chain(req, self.spin if self.mode == "serial" else self.begin)

    def submit(self, req: AcompReq) -> int:
        req.base.data = self._enqueue(req)
        return -EINPROGRESS

    def poll(self, req: AcompReq) -> int:
        job: Job = req.base.data
        return copy(req) if job.landed else -EAGAIN

    async def relax(self, pending: Sequence[AcompReq]) -> None:
        flying = {req.base.data for req in pending if not req.base.data.landed}
        if flying:
            landing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._relaxed.append((flying, landing))
            await landing

    def abandon(self, req: AcompReq) -> None:
        self.abandoned.append(req)

    async def spin(self, req: AcompReq) -> int:
        job = self._enqueue(req)
        landing = self._landings[job] = asyncio.get_running_loop().create_future()
        await landing
        return copy(req)

    def begin(self, req: AcompReq) -> int:
        self._enqueue(req)
        return -EINPROGRESS

    def land(self, count: int = 1) -> None:
        """Let the oldest `count` jobs land."""
        for job in self.queue[:count]:
            self.queue.remove(job)
            job.landed = True
            acomp.acomp_request_put(job.req)
            landing = self._landings.pop(job, None)
            if landing is not None and not landing.done():
                landing.set_result(None)
            if self.mode == "interrupt":
                complete = job.req.base.complete
                assert complete is not None
                complete(job.req.base.data, copy(job.req))
            for flying, all_landed in self._relaxed:
                flying.discard(job)
                if not flying and not all_landed.done():
                    all_landed.set_result(None)
        self._relaxed = [(flying, landing) for flying, landing in self._relaxed if flying]

    async def quiesce(self) -> None:
        """Let everything land, those jobs included that a landing begins."""
        for _ in range(100):
            self.land(len(self.queue))
            await asyncio.sleep(0)
            if not self.queue:
                return
        raise AssertionError("the device never comes to rest")

    def _enqueue(self, req: AcompReq) -> Job:
        job = Job(req)
        self.queue.append(job)
        if self.auto and len(self.queue) == 1:
            asyncio.get_running_loop().call_soon(self._tick, self.passes)
        return job

    def _tick(self, passes: int) -> None:
        if passes == 1:
            self.land()
        if self.queue:
            asyncio.get_running_loop().call_soon(self._tick, passes - 1 or self.passes)
