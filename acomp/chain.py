"""Request chains: a head and its members, built by the user, run by a driver (patch 1)."""

from collections.abc import Sequence
from errno import EINPROGRESS
from typing import Any, NoReturn

from . import trace
from .errors import ProtocolError
from .flags import CRYPTO_ALG_REQ_CHAIN, CRYPTO_TFM_REQ_CHAIN, CRYPTO_TFM_REQ_MAY_BACKLOG
from .parameters import acomp_request_set_callback, acomp_request_set_params
from .request import (
    NO_ALLOC_OUTPUT,
    AcompReq,
    Chain,
    Completion,
    check_is_request,
)
from .states import ChainState, chain_after
from .wait import CryptoWait, crypto_req_done


def acomp_reqchain_init(head: AcompReq, flags: int, compl: Completion | None, data: Any) -> None:
    """Make `head` the head of an empty chain: set its callback, its err to -EINPROGRESS and its CHAIN bit.

    Members of this head's earlier chain become single requests. RequestBusyError while the head is in flight or itself
    a member.
    """
    check_is_request(head)
    head.check_unchained("made the head of a chain")
    chain_after(chain_state(head), "init")
    acomp_request_set_callback(head, flags, compl, data)
    head.base.err = -EINPROGRESS
    head.base.flags |= CRYPTO_TFM_REQ_CHAIN
    _start_afresh(head)
    if trace.sink is not None:
        trace.emit("chain.init", head=head.serial)


def acomp_request_chain(req: AcompReq, head: AcompReq) -> None:
    """Append `req` to the chain of `head` and set its err to -EINPROGRESS; nothing else of `req` is touched.

    Its parameters may be set before or after. Raises ProtocolError when `head` is no head, when `req` is `head`, a head
    itself, has a unit size, or is of another transform (the kernel does not check: its runners only ever look at the
    head's transform);
    RequestBusyError when `req` is in flight or chained already.
    """
    if type(req) is not AcompReq or type(head) is not AcompReq:
        check_is_request(req)
        check_is_request(head)
    # The conditions are those of the checks, spelled out: this is called once a page.
    base, chain = req.base, head.chain
    if head.held or not head.base.flags & CRYPTO_TFM_REQ_CHAIN or chain is None:
        chain = _check_head(head)
    if req.held or req.chain is not None or req.tfm._freed:
        req.check_unchained("chained")
    if base.flags & CRYPTO_TFM_REQ_CHAIN or req.tfm is not head.tfm or req.unit_size:
        _refuse_member(req, head)
    base.err = -EINPROGRESS
    req.chain = chain
    chain.members.append(req)
    if trace.sink is not None:
        trace.emit("chain.add", head=head.serial, request=req.serial)


def acomp_reqchain_fill(
    reqs: Sequence[AcompReq], srcs: Sequence[Any], dsts: Sequence[Any], slen: int, dlen: int
) -> None:
    """Set the parameters of the head `reqs[0]` and of the others, and append those to its chain. (Ours.)

    For each request in order it does what `acomp_request_set_params` does, and for each but the head what
    `acomp_request_chain` does. It raises what they raise; the requests before the one that failed stay filled. It takes
    half the steps where each source is a memoryview and each destination a bytearray. ValueError unless there are as
    many sources and destinations as requests.
    """
    if not len(reqs) == len(srcs) == len(dsts):
        raise ValueError(f"{len(reqs)} requests need as many buffers, not {len(srcs)} sources and {len(dsts)} outputs")
    if not reqs:
        return
    head = reqs[0]
    acomp_request_set_params(head, srcs[0], dsts[0], slen, dlen)  # and with it the lengths are in order
    tfm, chain = head.tfm, head.chain
    is_plain = head.base.flags & CRYPTO_TFM_REQ_CHAIN and trace.sink is None
    for req, src, dst in zip(reqs[1:], srcs[1:], dsts[1:], strict=True):
        # The conditions are those of the two calls, spelled out: this is done once a page.
        if (
            is_plain
            and chain is not None
            and type(req) is AcompReq
            and not req.held
            and req.chain is None
            and req.tfm is tfm
            and not req.unit_size
            and not (base := req.base).flags & CRYPTO_TFM_REQ_CHAIN
            and type(src) is memoryview
            and src.c_contiguous
            and src.nbytes >= slen
            and type(dst) is bytearray
            and len(dst) >= dlen
        ):
            req.src, req.dst, req.slen, req.dlen = src, dst, slen, dlen
            req.flags &= NO_ALLOC_OUTPUT
            req.output = None
            base.err = -EINPROGRESS
            req.chain = chain
            chain.members.append(req)
        else:
            acomp_request_set_params(req, src, dst, slen, dlen)
            acomp_request_chain(req, head)


def _check_head(head: AcompReq) -> Chain:
    if not head.base.flags & CRYPTO_TFM_REQ_CHAIN:
        head.check_usable()
        raise ProtocolError(f"request #{head.serial} is not the head of a chain; call acomp_reqchain_init first")
    head.check_idle("given another member")
    if head.chain is None:  # somebody has set the bit by hand
        head.chain = Chain(head)
    return head.chain


def _start_afresh(head: AcompReq) -> None:
    """An empty chain for `head`. Former members are let go, but for those that have joined another one meanwhile."""
    chain = head.chain
    if chain is None or chain.head is not head:
        head.chain = Chain(head)
        return
    for member in chain.members:
        if member.chain is chain:
            member.chain = None
    chain.members = []


def _refuse_member(req: AcompReq, head: AcompReq) -> NoReturn:
    if req.base.flags & CRYPTO_TFM_REQ_CHAIN:
        what = "itself" if req is head else f"#{head.serial}: it is the head of a chain; clear that first"
        raise ProtocolError(f"request #{req.serial} cannot be chained to {what}")
    if req.unit_size:
        raise ProtocolError(
            f"request #{req.serial} has a unit size of {req.unit_size} bytes, and a chain's requests are one page each;"
            " call acomp_request_set_unit_size(req, 0) first"
        )
    raise ProtocolError(
        f"request #{req.serial} belongs to another transform ({req.tfm.alg.cra_driver_name}) than the head"
        f" #{head.serial} ({head.tfm.alg.cra_driver_name}); chain requests of one transform"
    )


def acomp_is_reqchain(req: AcompReq) -> bool:
    """Whether `req` is the head of a chain (its CHAIN bit)."""
    if type(req) is not AcompReq:
        check_is_request(req)
    return bool(req.base.flags & CRYPTO_TFM_REQ_CHAIN)


def acomp_chain_members(head: AcompReq) -> tuple[AcompReq, ...]:
    """The members in list order, without the head: insertion order before a run, completion order after it. (Ours.)"""
    check_is_request(head)
    return tuple(_members(head))


def _members(head: AcompReq) -> Sequence[AcompReq]:
    chain = head.chain
    return () if chain is None or chain.head is not head else chain.members


def acomp_reqchain_clear(head: AcompReq, wait: CryptoWait | None) -> None:
    """End the chain: re-arm `wait`, clear CHAIN and set the head's callback to (MAY_BACKLOG, crypto_req_done, wait).

    Members are not visited and stay in the list until they are used again, but they are free to be used. The runner has
    called the head's completion function *and* returned a final code, so without the re-arming the next asynchronous
    wait on this object would return early with an old result. With `wait` None the head is left without a callback.
    """
    check_is_request(head)
    head.check_idle("cleared")
    chain_after(chain_state(head), "clear")
    if wait is None:
        acomp_request_set_callback(head, CRYPTO_TFM_REQ_MAY_BACKLOG, None, None)
        return
    if not isinstance(wait, CryptoWait):
        raise TypeError(f"a chain is cleared with a CryptoWait or None, not {type(wait).__name__}")
    wait.reinit()
    acomp_request_set_callback(head, CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, wait)


def chain_state(head: AcompReq) -> ChainState:
    """The state of the chain that `head` is the head of (`states.py`), derived."""
    if not head.base.flags & CRYPTO_TFM_REQ_CHAIN:
        return "single"
    return "running" if head.chain is not None and head.chain.running else "open"


def runs_as_chain(head: AcompReq) -> bool:
    """Whether the runners treat `head` as a chain: CHAIN set, members there, and the algorithm opted in."""
    return bool(
        head.base.flags & CRYPTO_TFM_REQ_CHAIN and _members(head) and head.tfm.alg.cra_flags & CRYPTO_ALG_REQ_CHAIN
    )


def begin_run(head: AcompReq, whole: bool) -> list[AcompReq]:
    """A runner takes the head over, and with it a chain. `whole`: the members too, detached from the list, in order.

    RequestBusyError, with nothing changed, when somebody still holds one of those that are to run.
    """
    chain = head.chain
    if not head.base.flags & CRYPTO_TFM_REQ_CHAIN or chain is None:
        if head.state != "in_flight":  # else its entry point has marked it for this run
            head.check_idle("run")
        return []
    head.check_idle("run")
    if whole:
        for member in chain.members:
            if member.held:
                member.check_idle("run")
    chain_after(chain_state(head), "run")
    chain.running = (head, *chain.members)
    for req in chain.running:
        req.held += 1
    if not whole:
        return []
    members, chain.members = chain.members, []
    return members


def end_run(head: AcompReq) -> None:
    """End a run: put every member back into the head's list, and call what waits for the requests to be idle."""
    chain = head.chain
    if chain is None or chain.head is not head:
        return
    running, chain.running = chain.running, ()
    for req in running:
        req.held -= 1
        if req.when_idle is not None:
            req.tell_if_idle()
