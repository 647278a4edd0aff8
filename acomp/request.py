"""Requests: one page's worth of work for a transform, reusable, owned by one party at a time.

Who holds a request is explicit, because its owner may be cancelled at any moment and the hardware may not. Three kinds
of parties can hold one, each for its own reason and each until it is through:

* an *algorithm*, from the submission to the completion: the states of `states.py`, moved by entry points and runners;
* a *job* of a driver, which goes on reading `src` and writing `dst` until it has landed, whoever was cancelled
  meanwhile: from `acomp_request_get` to `acomp_request_put`;
* a *runner*, which works on a whole chain, head and members alike, those included whose turn has not come.

`held` counts them. A request that anybody holds is *busy*: it cannot be given other parameters, submitted, chained or
freed. When the last of them lets go it is idle, and whoever waits for that is told.
"""

import itertools
from collections.abc import Callable, Iterable
from errno import EBUSY, EINPROGRESS
from typing import Any, Final, NoReturn

from .call_each import call_each
from .errors import ProtocolError, RequestBusyError
from .flags import CRYPTO_ACOMP_ALLOC_OUTPUT, CRYPTO_ACOMP_OUTPUT_ONLY, CRYPTO_TFM_REQ_CHAIN
from .sg import FolioRange, Path, write
from .states import AFTER_FINISH, AFTER_SUBMIT, RequestState, request_after
from .tfm import CryptoAcomp, check_is_transform

Completion = Callable[[Any, int], None]
"""A completion function, called on the loop's thread as `compl(data, err)`."""

NO_ALLOC_OUTPUT: Final = ~CRYPTO_ACOMP_ALLOC_OUTPUT

PENDING: Final = (-EINPROGRESS, -EBUSY)
"""Codes of work that has begun and is not finished: -EINPROGRESS and -EBUSY."""

_serials = itertools.count(1)


class Chain:
    """A head and its members, kept by all of them: `members` in list order, `running` while a runner works on them.

    Made and changed by `chain` and the runners only. A request is a member as long as this is its `chain` and its
    head's, and the head's CHAIN bit is set.
    """

    __slots__ = ("head", "members", "running")

    def __init__(self, head: "AcompReq") -> None:
        self.head = head
        self.members: list[AcompReq] = []
        self.running: tuple[AcompReq, ...] = ()


class RequestBase:
    """The generic part, `req.base`: `flags`, `complete`, `data` and `err` (the kernel's crypto request).

    `completion` is the completion function as its owner has set it; `complete` is what a driver calls.
    """

    __slots__ = ("_req", "completion", "data", "err", "flags")

    def __init__(self, req: "AcompReq") -> None:
        self._req = req
        self.completion: Completion | None = None
        self.flags = 0
        self.data: Any = None
        self.err = 0

    @property
    def complete(self) -> Completion | None:
        """The completion function. While anybody holds the request: one that makes it idle first, then calls that.

        So a driver simply calls `req.base.complete(req.base.data, err)`, once, on the loop's thread, and never from
        inside its own method. A notice of -EINPROGRESS is passed on and ends nothing.
        """
        return self._req._complete_in_flight if self._req.held else self.completion

    @complete.setter
    def complete(self, compl: Completion | None) -> None:
        self.completion = compl


class AcompReq:
    """A request. Made by `acomp_request_alloc`.

    `src` and `dst` are buffers of `slen` and `dlen` bytes. `dlen` is the capacity before the work, and the length of
    the output after a success; after a failure it still is the capacity. `flags` is the acomp word, `base` the generic
    part. Two fields are ours. `path` says which way the last operation took, "hardware" or "software" (the kernel only
    counts). `output` is what it wrote to `dst` as one immutable object, if the algorithm had one, else None: an owner
    who keeps the bytes need not copy them, and with the flag OUTPUT_ONLY the algorithm does not copy them either. A
    unit request has a `FolioRange` and a tuple of `SgEntry` in place of the buffers, and a `unit_size` in bytes, 0 for
    none: see `acomp.units`.

    The rest is for entry points and runners. `state`: see `states.py`. `held`: how many parties hold the request beside
    its owner, -1 once it is freed; `jobs`: how many of them are jobs. `chain`: the chain that it is the head or a
    member of, kept after a clear until the next one. `submissions`: how often it was submitted. `when_idle`: the
    function to call as soon as nobody holds it, or None.
    """

    __slots__ = (
        "__weakref__",
        "base",
        "chain",
        "dlen",
        "dst",
        "flags",
        "held",
        "jobs",
        "output",
        "path",
        "serial",
        "slen",
        "src",
        "state",
        "submissions",
        "tfm",
        "unit_size",
        "when_idle",
    )

    def __init__(self, tfm: CryptoAcomp) -> None:
        self.tfm = tfm
        self.src: Any = None
        self.dst: Any = None
        self.slen = 0
        self.dlen = 0
        self.unit_size = 0
        self.flags = 0
        self.path: Path = "software"
        self.output: bytes | None = None
        self.serial = next(_serials)
        self.state: RequestState = "idle"
        self.base = RequestBase(self)
        self.held = 0
        self.jobs = 0
        self.chain: Chain | None = None
        self.submissions = 0
        self.when_idle: list[Callable[[], None]] | None = None

    def __repr__(self) -> str:
        role, chain = "", self.chain
        if self.chained and chain is not None:
            role = f" chained to #{chain.head.serial}"
        elif self.base.flags & CRYPTO_TFM_REQ_CHAIN and chain is not None:
            role = f" head of {len(chain.members)}{', running' if chain.running else ''}"
        held = f" held by {self.jobs} jobs" if self.jobs else ""
        return f"<AcompReq #{self.serial} {self.tfm.alg.cra_driver_name} {self.state}{role}{held} err={self.base.err}>"

    @property
    def chained(self) -> bool:
        """Whether this request is a member of a chain whose head has not been cleared since."""
        chain = self.chain
        if chain is None or chain.head is self or chain.head.chain is not chain:
            return False
        return bool(chain.head.base.flags & CRYPTO_TFM_REQ_CHAIN)

    @property
    def busy(self) -> bool:
        """Whether anybody but the owner holds the request: an algorithm, a driver's job, or the runner of its chain."""
        return self.held > 0

    def begin(self) -> None:
        """The event `submit` of `states.py`: an algorithm gets the request. For runners and entry points."""
        self.state = AFTER_SUBMIT.get(self.state) or request_after(self.state, "submit")
        self.held += 1
        self.submissions += 1
        self.output = None

    def finish(self) -> None:
        """The event `finish` of `states.py`: the algorithm is through. For runners and entry points."""
        self.state = AFTER_FINISH.get(self.state) or request_after(self.state, "finish")
        self.held -= 1
        if self.when_idle is not None:
            self.tell_if_idle()

    def tell_if_idle(self) -> None:
        """Call what waits for the request to be idle, if the holder that just let go of it was the last one."""
        if self.when_idle is not None and not self.held:
            callbacks, self.when_idle = self.when_idle, None
            call_each(callbacks)

    def check_usable(self) -> None:
        """ProtocolError for a freed request or transform."""
        if self.state == "freed":
            raise ProtocolError(f"request #{self.serial} was freed; allocate another")
        self.tfm.check_alive()

    def check_idle(self, wanted: str) -> None:
        """Check that nobody else holds the request and it may be `wanted` (a participle, for the message)."""
        self.check_usable()
        if self.busy:
            raise RequestBusyError(
                f"request #{self.serial} cannot be {wanted}: it is in flight. Wait for its completion"
                " (after a cancellation: until its job has landed, see requests_idle)"
            )

    def check_unchained(self, wanted: str) -> None:
        """Like `check_idle`, and not a member of an open chain either."""
        self.check_idle(wanted)
        if self.chained and self.chain is not None:
            raise RequestBusyError(
                f"request #{self.serial} cannot be {wanted}: it is chained to #{self.chain.head.serial}."
                " Call acomp_reqchain_clear on that head first"
            )

    def source(self) -> Any:
        """The `slen` input bytes as a buffer that a codec can read, without a copy. Drop it when the work is done."""
        src = self.src
        kind = type(src)
        if kind is memoryview:
            if src.format == "B" and src.ndim == 1:
                return src if len(src) == self.slen else src[: self.slen]
        elif (kind is bytes or kind is bytearray) and len(src) == self.slen:
            return src
        elif kind is FolioRange:
            return src.view()
        return memoryview(src).cast("B")[: self.slen]

    def deliver(self, output: bytes) -> None:
        """Success: copy `output` to `dst` and set `dlen`; with ALLOC_OUTPUT it becomes a fresh `dst`.

        With OUTPUT_ONLY nothing is copied. The caller has checked that it fits. (With a null dst the kernel's software
        wrapper allocates as well.)
        """
        length = len(output)
        dst = self.dst
        if dst is None:
            self.dst = bytearray(output)
        elif self.flags & CRYPTO_ACOMP_OUTPUT_ONLY:
            pass
        else:
            write(dst, output)
        self.dlen = length
        self.output = output

    def _complete_in_flight(self, data: Any, err: int) -> None:
        if err == -EINPROGRESS and self.state == "in_flight":
            if self.base.completion is not None:
                self.base.completion(data, err)
            return
        if self.state not in ("in_flight", "abandoned"):
            raise ProtocolError(
                f"request #{self.serial} was completed twice, or before its submission (it is {self.state}); err={err}"
            )
        abandoned = self.state == "abandoned"
        self.finish()
        if abandoned:
            return
        if self.base.flags & CRYPTO_TFM_REQ_CHAIN:
            self.base.err = err
        if self.base.completion is not None:
            self.base.completion(data, err)


def begin_each(reqs: Iterable[AcompReq]) -> None:
    """`begin` for those that are idle; the others are in flight already. Spelled out, for it is done once a page."""
    in_flight = AFTER_SUBMIT["idle"]
    for req in reqs:
        if req.state == "idle":
            req.state = in_flight
            req.held += 1
            req.submissions += 1
            req.output = None


def check_is_request(req: object) -> None:
    """TypeError for what is not a request."""
    if not isinstance(req, AcompReq):
        raise TypeError(f"expected an AcompReq from acomp_request_alloc, not {type(req).__name__}")


def refuse_code(req: AcompReq, code: int) -> NoReturn:
    """ProtocolError for what an operation returned and what is no code."""
    raise ProtocolError(f"an operation returned {code!r} for request #{req.serial}; a code is 0 or a negative errno")


def acomp_request_alloc(tfm: CryptoAcomp) -> AcompReq:
    """A request for `tfm`, idle and empty. (The kernel may answer null; here memory is Python's business.)"""
    check_is_transform(tfm)
    tfm.check_alive()
    req = AcompReq(tfm)
    tfm._requests.add(req)
    return req


def acomp_request_free(req: AcompReq) -> None:
    """Free a request: RequestBusyError while it is busy or chained, ProtocolError the second time.

    The members of a head are let go.
    """
    check_is_request(req)
    if req.state == "freed":
        raise ProtocolError(f"request #{req.serial} was freed already")
    if req.busy or req.chained:
        req.check_unchained("freed")
    req.state = request_after(req.state, "free")
    req.held = -1
    req.src = req.dst = req.output = req.base.data = req.base.completion = req.chain = None
    req.tfm._requests.discard(req)


def acomp_request_get(req: AcompReq) -> None:
    """Hold the request for a driver's job that uses its buffers: it stays busy until `acomp_request_put`. (Ours.)"""
    req.jobs += 1
    req.held += 1


def acomp_request_put(req: AcompReq) -> None:
    """Let go of the request, once per `acomp_request_get`: the job has landed and uses `src` and `dst` no longer."""
    if not req.jobs:
        raise ProtocolError(f"request #{req.serial} is not held by any job")
    req.jobs -= 1
    req.held -= 1
    if req.when_idle is not None:
        req.tell_if_idle()


def acomp_request_when_idle(req: AcompReq, callback: Callable[[], None]) -> None:
    """Call the plain function `callback` once, as soon as nobody else holds the request: at once if nobody does.

    It is for owners whose wait was cancelled: they must not touch the buffers before the job has landed.
    `requests_idle` is the same as a coroutine. (Ours.)
    """
    if not req.busy:
        callback()
        return
    if req.when_idle is None:
        req.when_idle = []
    req.when_idle.append(callback)
