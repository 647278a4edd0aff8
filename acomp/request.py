"""Requests: one page's worth of work for a transform, reusable, owned by one party at a time (kernel-facts 2.1).

Who holds a request is explicit. The entry points and the runners of this package move it through the states of
`states.py`; a driver whose job goes on reading `src` and writing `dst` holds it with `acomp_request_get` until the job
has landed, whoever was cancelled meanwhile. A request that anybody holds is *busy*.
"""

import itertools
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from errno import EBUSY, EINPROGRESS
from typing import Any, Final, Literal, NoReturn

from .errors import ProtocolError, RequestBusyError
from .flags import CRYPTO_ACOMP_ALLOC_OUTPUT, CRYPTO_ACOMP_OUTPUT_ONLY, CRYPTO_TFM_REQ_CHAIN
from .states import AFTER_FINISH, AFTER_SUBMIT, RequestState, request_after
from .tfm import CryptoAcomp, check_is_transform

Completion = Callable[[Any, int], None]
"""A completion function, called on the loop's thread as `compl(data, err)`."""

NO_ALLOC_OUTPUT: Final = ~CRYPTO_ACOMP_ALLOC_OUTPUT

Path = Literal["software", "hardware"]

PENDING: Final = (-EINPROGRESS, -EBUSY)
"""Codes of work that has begun and is not finished: -EINPROGRESS and -EBUSY."""

_serials = itertools.count(1)


class RequestBase:
    """The generic part, `req.base`: `flags`, `complete`, `data` and `err` (the kernel's crypto request)."""

    __slots__ = ("_complete", "_req", "data", "err", "flags")

    def __init__(self, req: "AcompReq") -> None:
        self._req = req
        self._complete: Completion | None = None
        self.flags = 0
        self.data: Any = None
        self.err = 0

    @property
    def complete(self) -> Completion | None:
        """The completion function. While anybody holds the request: one that makes it idle first, then calls that.

        So a driver simply calls `req.base.complete(req.base.data, err)`, once, on the loop's thread, and never from
        inside its own method. A notice of -EINPROGRESS is passed on and ends nothing.
        """
        req = self._req
        return req._complete_in_flight if req.state != "idle" or req.busy else self._complete

    @complete.setter
    def complete(self, compl: Completion | None) -> None:
        self._complete = compl


class AcompReq:
    """A request. Made by `acomp_request_alloc`.

    `src`, `dst`: buffers of `slen` and `dlen` bytes; `dlen` is the capacity before and the produced length after
    success (the capacity stays on failure). `flags`: the acomp word. `base`: the generic part. Ours are `path`, which
    way the last operation took ("hardware" or "software"; the kernel only counts), and `output`, what it wrote to `dst`
    as one immutable object where the algorithm had one (else None): an owner who keeps the bytes need not copy them,
    and with the flag OUTPUT_ONLY the algorithm does not copy them either.
    """

    __slots__ = (
        "__weakref__",
        "_chain_running",
        "_head",
        "_holds",
        "_idle_callbacks",
        "_members",
        "_submissions",
        "base",
        "dlen",
        "dst",
        "flags",
        "output",
        "path",
        "serial",
        "slen",
        "src",
        "state",
        "tfm",
    )

    def __init__(self, tfm: CryptoAcomp) -> None:
        self.tfm = tfm
        self.src: Any = None
        self.dst: Any = None
        self.slen = 0
        self.dlen = 0
        self.flags = 0
        self.path: Path = "software"
        self.output: bytes | None = None
        self.serial = next(_serials)
        self.state: RequestState = "idle"
        self.base = RequestBase(self)
        self._holds = 0
        self._idle_callbacks: list[Callable[[], None]] | None = None
        self._head: AcompReq | None = None
        self._members: list[AcompReq] = []
        self._chain_running = False
        self._submissions = 0

    def __repr__(self) -> str:
        role = ""
        if self.base.flags & CRYPTO_TFM_REQ_CHAIN:
            role = f" head of {len(self._members)}{', running' if self._chain_running else ''}"
        elif self.chained:
            role = f" chained to #{self._head.serial}" if self._head else ""
        held = f" held by {self._holds} jobs" if self._holds else ""
        return f"<AcompReq #{self.serial} {self.tfm.alg.cra_driver_name} {self.state}{role}{held} err={self.base.err}>"

    @property
    def chained(self) -> bool:
        """Whether this request is a member of a chain whose head has not been cleared since."""
        return self._head is not None and bool(self._head.base.flags & CRYPTO_TFM_REQ_CHAIN)

    @property
    def busy(self) -> bool:
        """Whether anybody but the owner holds the request: an algorithm, a driver's job, or the runner of its chain."""
        if self.state != "idle" or self._holds or self._chain_running:
            return self.state != "freed"
        return self._head is not None and self._head._chain_running

    def begin(self) -> None:
        """The event `submit` of `states.py`: an algorithm gets the request. For runners and entry points."""
        self.state = AFTER_SUBMIT.get(self.state) or request_after(self.state, "submit")
        self._submissions += 1
        self.output = None

    def finish(self) -> None:
        """The event `finish` of `states.py`: the algorithm is through. For runners and entry points."""
        self.state = AFTER_FINISH.get(self.state) or request_after(self.state, "finish")
        if self._idle_callbacks is not None:
            self._notify_if_idle()

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
                " (after a cancellation: until its job has landed, see acomp_request_when_idle)"
            )

    def check_unchained(self, wanted: str) -> None:
        """Like `check_idle`, and not a member of an open chain either."""
        self.check_idle(wanted)
        if self.chained:
            assert self._head is not None
            raise RequestBusyError(
                f"request #{self.serial} cannot be {wanted}: it is chained to #{self._head.serial}."
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
        elif type(dst) is bytearray:
            memoryview(dst)[:length] = output  # a bytearray's own slice would copy twice
        else:
            with memoryview(dst) as view, view.cast("B") as octets:
                octets[:length] = output
        self.dlen = length
        self.output = output

    def _complete_in_flight(self, data: Any, err: int) -> None:
        if err == -EINPROGRESS and self.state == "in_flight":
            if self.base._complete is not None:
                self.base._complete(data, err)
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
        if self.base._complete is not None:
            self.base._complete(data, err)

    def let_members_go(self) -> None:
        """Empty the list of this head. Those that have joined another chain meanwhile stay there."""
        for member in self._members:
            if member._head is self:
                member._head = None
        self._members = []

    def _notify_if_idle(self) -> None:
        if self._idle_callbacks is None or self.busy:
            return
        callbacks, self._idle_callbacks = self._idle_callbacks, None
        with ExitStack() as stack:  # each is called, whatever another one raises
            for callback in reversed(callbacks):
                stack.callback(callback)


def begin_each(reqs: Iterable[AcompReq]) -> None:
    """`begin` for those that are idle; the others are in flight already. Spelled out, for it is done once a page."""
    in_flight = AFTER_SUBMIT["idle"]
    for req in reqs:
        if req.state == "idle":
            req.state = in_flight
            req._submissions += 1
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
    req.src = req.dst = req.output = req.base.data = req.base._complete = None
    req.let_members_go()
    req._head = None
    req.tfm._requests.discard(req)


def acomp_request_set_params(req: AcompReq, src: Any, dst: Any, slen: int, dlen: int) -> None:
    """Set input and output: `slen` bytes of `src`, room for `dlen` bytes in `dst`; both are checked here, once.

    `src` is any contiguous buffer, `dst` a writable one. `dst` None asks the algorithm to allocate the output (flag
    ALLOC_OUTPUT). `src` None is accepted and answered -EINVAL by the algorithm, as in the kernel. Allowed on an idle
    request, and on a member of a chain that is not running. Raises TypeError (not a buffer, not contiguous, not
    writable, lengths not int) and ValueError (negative, or beyond the buffer). Source: kernel-facts 2.1.
    """
    if type(req) is not AcompReq:
        check_is_request(req)
    # The conditions are those of the check, spelled out: this is called once a page.
    head = req._head
    if (
        req.state != "idle"
        or req._holds
        or req._chain_running
        or req.tfm._freed
        or (head is not None and head._chain_running)
    ):
        req.check_idle("re-parametrised")
    if type(slen) is not int or type(dlen) is not int:
        raise TypeError(f"slen and dlen are ints, not {type(slen).__name__} and {type(dlen).__name__}")
    kind = type(src)
    if kind is memoryview and src.c_contiguous:
        size = src.nbytes
    else:
        size = len(src) if kind is bytes or kind is bytearray else _size(src, "src")
    if not 0 <= slen <= size:
        raise ValueError(f"slen {slen} is not within the {size} bytes of src")
    if dst is None:
        if dlen < 0:
            raise ValueError(f"dlen {dlen} is negative")
        req.flags |= CRYPTO_ACOMP_ALLOC_OUTPUT
    else:
        if not 0 <= dlen <= (len(dst) if type(dst) is bytearray else _size(dst, "dst", writable=True)):
            raise ValueError(f"dlen {dlen} is not within the {_size(dst, 'dst')} bytes of dst")
        req.flags &= NO_ALLOC_OUTPUT
    req.src, req.dst, req.slen, req.dlen = src, dst, slen, dlen
    req.output = None


def _size(buffer: Any, name: str, writable: bool = False) -> int:
    if buffer is None:
        return 0
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"{name} must be a contiguous buffer such as bytes, not {type(buffer).__name__}") from None
    with view:
        if not view.c_contiguous:
            raise TypeError(f"{name} must be contiguous; copy it first")
        if writable and view.readonly:
            raise TypeError(f"{name} must be writable, and this {type(buffer).__name__} is read-only; use a bytearray")
        return view.nbytes


def acomp_request_set_callback(req: AcompReq, flags: int, compl: Completion | None, data: Any) -> None:
    """Set the completion function, its `data` and the generic flags; ends a chain that this request was the head of.

    Of the old `base.flags` only the bit with ALLOC_OUTPUT's value survives; CHAIN is always cleared (patch 1).
    """
    check_is_request(req)
    if not isinstance(flags, int):
        raise TypeError(f"flags are an int, not {type(flags).__name__}")
    if compl is not None and not callable(compl):
        raise TypeError(f"a completion is a function of (data, err) or None, not {type(compl).__name__}")
    if req.busy or req.state == "freed" or req.tfm._freed:
        req.check_idle("given another callback")
    base = req.base
    kept = base.flags & CRYPTO_ACOMP_ALLOC_OUTPUT
    base.flags = (kept | flags & ~CRYPTO_ACOMP_ALLOC_OUTPUT) & ~CRYPTO_TFM_REQ_CHAIN
    base.complete = compl
    base.data = data


def acomp_request_err(req: AcompReq) -> int:
    """The request's own result after a chain ran: 0 or a negative errno (patch 1)."""
    if type(req) is not AcompReq:
        check_is_request(req)
    return req.base.err


def acomp_request_get(req: AcompReq) -> None:
    """A driver's job takes hold of the request's buffers: it stays busy until `acomp_request_put`. (Ours.)"""
    req._holds += 1


def acomp_request_put(req: AcompReq) -> None:
    """The job has landed: `src` and `dst` are no longer used by it. A plain call, once per `acomp_request_get`."""
    if not req._holds:
        raise ProtocolError(f"request #{req.serial} is not held by any job")
    req._holds -= 1
    if req._idle_callbacks is not None:
        req._notify_if_idle()


def acomp_request_when_idle(req: AcompReq, callback: Callable[[], None]) -> None:
    """Call the plain function `callback` once, as soon as nobody else holds the request: at once if nobody does.

    For owners that were cancelled and must not touch the buffers before the job has landed. (Ours.)
    """
    if not req.busy:
        callback()
        return
    if req._idle_callbacks is None:
        req._idle_callbacks = []
    req._idle_callbacks.append(callback)
