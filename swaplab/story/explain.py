"""Every code and every exception that a script can meet: what happened, whose result it is, what to do now.

One table, for the command line, for pages and for docs/errors.md, by (kind, errno, role). `kind` is "code" for what a
call returned or a request has as its err, "array" for what a call with arrays returned, else the class of an exception.
`role` says whose it is; of an exception it is "call". Of a folio that a store has refused `kind` is "store", and why it
was stands in the place of a role.
"""

import errno
import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

from .answer import Explanation, Failure

Role = Literal["single", "units", "head", "refused", "last", "member", "unsubmitted"]
Reject = Literal["reject_compress_fail", "reject_compress_poor", "invalidated"]
Key = tuple[str, int | None, Role | Reject | Literal["call"]]

WHOSE: Final[Mapping[Role, str]] = {
    "single": "the request's own",
    "units": "the request's, for all of its units; each unit has its own in its entry",
    "head": "the head's alone, though a whole chain ran in parallel; each member has its own err",
    "refused": "the head's, and every member's: since its submission failed, no other was made",
    "last": "that of the operation that came last in a serial chain; each request, head or member, has its own err",
    "member": "this request's own, one of a chain",
    "unsubmitted": "not its own: it was never submitted, and has what ended its chain",
}
"""Whose result a code is, by role."""

_THEN: Final[Mapping[Role, str]] = {
    "units": " Then look at every entry's length: a negative one is an errno.",
    "head": " Then read acomp_request_err of every member: they may have gone well, or not.",
    "refused": " No member has any output.",
    "last": " Then read acomp_request_err of every request: this code tells of one of them.",
}
"""What comes after the remedy, by role: the others' results."""
_AFTER_A_CANCELLATION: Final = (
    " Those of its chain that had ended by then have their own results, all others have -ECANCELED like this one."
)
_THEN_OF_CODES: Final[Mapping[int, Mapping[Role, str]]] = {
    errno.EINPROGRESS: {},
    errno.ECANCELED: {"head": _AFTER_A_CANCELLATION, "last": _AFTER_A_CANCELLATION},
}
"""The codes after which something else comes, or nothing."""

CODES: Final[Mapping[int, tuple[str, str]]] = {
    errno.EINPROGRESS: (
        "the work has begun, or is chained to begin, and is not finished",
        "Wait: crypto_wait_req(code, wait). Until then request and buffers are not yours.",
    ),
    errno.EAGAIN: (
        "no descriptor came free in time, or a shared queue refused too often: the device was never asked",
        "Submit it again when others have landed, or compress it in software.",
    ),
    errno.EIO: (
        "the device did not take the submission, or a step after the landing failed: verification, or any by interrupt",
        "Submit it again, once; if it stays so, take the device out (machine.unbind) and use software.",
    ),
    errno.ENXIO: (
        "its queue was removed before the descriptor was in it",
        "Submit it again: it goes to another queue, or gets -ENODEV if none is left.",
    ),
    errno.ENODEV: (
        "the driver has no device to use: none is bound for this cpu, or it was disabled by a job that never landed",
        "Unbind every device and bind them again, or compress in software; decompression does so by itself.",
    ),
    errno.EINVAL: (
        "something is missing or wrong (no source, no destination, a folio without a table, bytes that are no stream),"
        " the device ended the job with an error of its own, the output failed its check, or software could not"
        " compress the page",
        "Look at the parameters first. If they are right the data is not: keep the page as it is.",
    ),
    errno.ETIMEDOUT: (
        "the job did not land in time. After a second of silence the whole driver is disabled",
        "Trust the device no longer: unbind all and bind again. The buffers are yours again, without an output.",
    ),
    errno.E2BIG: (
        "the output is longer than dlen: the data does not compress, or dlen is too short for it",
        "Keep the data as it is; nothing is wrong with the device. If dlen is what an earlier run has left there,"
        " set it again.",
    ),
    errno.ENOSPC: (
        "the output of this software algorithm is longer than dlen: the data does not compress, or dlen is too short"
        " for it",
        "Keep the data as it is. If dlen is what an earlier run has left there, set it again.",
    ),
    errno.EOVERFLOW: (
        "what was to be decompressed is longer than dlen",
        "Give it the room of the page that it was: 4096 bytes.",
    ),
    errno.ENOMEM: (
        "the serial runner could not allocate its state: nothing was submitted, and every request says so",
        "Nothing has happened to the pages: run the chain again.",
    ),
    errno.ENOSYS: (
        "the algorithm takes one unit at a time, and the request has several",
        "Make a request for each unit, a chain, or take an algorithm that takes units, such as deflate-iaa.",
    ),
    errno.ECANCELED: (
        "whoever ran it was cancelled. A job that was in flight goes on, and holds its request until it has landed",
        "Do not touch the buffers before requests_idle says so; then start afresh.",
    ),
}
"""What a negative code says (positive errno): what happened, and the remedy."""

UNITS: Final = (
    "a unit at least failed, and the length in its entry is its own code; if no entry has one, something is missing or"
    " wrong in the request itself",
    "Keep the data of each unit that failed as it is; the others have their outputs.",
)
"""What -EINVAL says of a request with several units."""

ERRORS: Final[Mapping[tuple[str, int | None], tuple[str, str]]] = {
    ("ProtocolError", errno.EPROTO): (
        "the calls came in the wrong order, or with something freed, foreign, or of another role",
        "The message names the call that comes first. Nothing was changed by this one.",
    ),
    ("RequestBusyError", errno.EBUSY): (
        "the request is in flight, or a member of a chain: somebody else holds it",
        "Wait for its completion (after a cancellation: requests_idle); of a member clear the head first.",
    ),
    ("AlgorithmNotFoundError", errno.ENOENT): (
        "no algorithm has this name",
        "Take one of those that the message names.",
    ),
    ("TypeError", None): (
        "an argument is of another kind than the call takes",
        "Give it what the message asks for.",
    ),
    ("ValueError", None): (
        "a number or a list is out of its bounds",
        "Stay within what the message says: most often the size of a buffer.",
    ),
    ("AttributeError", None): (
        "an argument is of a kind that the call does not even look for",
        "Give it what its parameter is meant for; `swaplab script --calls` lists them.",
    ),
    ("RuntimeError", None): (
        "the coroutine of a compression was awaited before",
        "A coroutine is awaited once. Call crypto_acomp_compress again for another run.",
    ),
    ("CancelledError", None): (
        "the task was cancelled, or the run was cut",
        "Its requests may still be held by jobs: requests_idle tells when they are not.",
    ),
    ("ParameterError", errno.ENOENT): (
        "a store cannot be opened over an algorithm that is not there",
        "Name one that crypto_alloc_acomp takes.",
    ),
    ("DecompressError", errno.EIO): (
        "a stored page was not decompressed: the device failed, and without patch 10 software does not always step in",
        "Load it again: its entry stays where it is.",
    ),
    ("UnboundName", errno.ENOENT): (
        "the call that should have bound this name has failed",
        "Mend that call; this one is not at fault.",
    ),
    ("DescriptorDeadlockError", errno.EDEADLK): (
        "chains that hold some descriptors and wait for more stop each other, and without patch 10 nothing bounds that",
        "Use patch 10, more devices or larger queues.",
    ),
    ("ConfigurationError", errno.EBUSY): (
        "it is bound already, or cannot be written while any queue is bound",
        "Unbind all devices first, then write, then bind.",
    ),
    ("ConfigurationError", errno.ENODEV): (
        "the queue, or every queue of the device, is not bound",
        "Bind it first, or leave it as it is.",
    ),
    ("ConfigurationError", errno.EINVAL): (
        "the attribute does not take this text",
        "Write one of those that the message names.",
    ),
    ("ConfigurationError", errno.ENOENT): (
        "the driver has no attribute of this name; two come with patch 9",
        "Take one of those that the message names.",
    ),
    ("ConfigurationError", errno.ERANGE): (
        "the number does not fit into 32 bits",
        "Write a smaller one.",
    ),
}
"""What an exception says, by its class and its errno."""

ARRAY: Final = (
    "a page at least failed: this call answers 1 (all went well) or 0",
    "Read `errors`, page by page; dlens has the lengths of the others.",
)

REJECTS: Final[Mapping[Reject, tuple[str, str]]] = {
    "reject_compress_fail": (
        "one page at least could not be compressed: it does not get shorter, or the device failed",
        'Keep the folio elsewhere. From v12 on ("raw") such a page is stored as it is.',
    ),
    "reject_compress_poor": (
        "one page at least does not get shorter, says this software algorithm",
        'Keep the folio elsewhere. From v12 on ("raw") such a page is stored as it is.',
    ),
    "invalidated": (
        "a slot of it was invalidated while it was being stored",
        "Nothing: whoever has invalidated it wants it no more.",
    ),
}
"""Why a store has not taken a folio: the counter that went up, or none."""
_WHOLE: Final = "that of the whole folio: no page of it is in the store, nor is what was at its slots before"


def _rows() -> Iterator[tuple[Key, Explanation]]:
    for code, role in itertools.product(CODES, WHOSE):
        happened, remedy = UNITS if (code, role) == (errno.EINVAL, "units") else CODES[code]
        then = _THEN_OF_CODES.get(code, _THEN).get(role, "")
        yield ("code", code, role), Explanation(happened=happened, whose=WHOSE[role], remedy=remedy + then)
    happened, remedy = ARRAY
    yield ("array", 0, "units"), Explanation(happened=happened, whose="that of all pages together", remedy=remedy)
    for reject, (happened, remedy) in REJECTS.items():
        yield ("store", None, reject), Explanation(happened=happened, whose=_WHOLE, remedy=remedy)
    for (name, code_or_none), (happened, remedy) in ERRORS.items():
        whose = "the call's own; the script goes on"
        yield (name, code_or_none, "call"), Explanation(happened=happened, whose=whose, remedy=remedy)


EXPLANATIONS: Final[Mapping[Key, Explanation]] = MappingProxyType(dict(_rows()))
"""The table."""


def errno_name(number: int) -> str:
    """The kernel's word for an errno; where there are two, not the old one."""
    return "EDEADLK" if number == errno.EDEADLK else errno.errorcode.get(number, str(number))


def explain_code(code: object, role: Role) -> Explanation | None:
    """What a code means; None for success, and for what is no errno of ours."""
    if not isinstance(code, int) or code >= 0:
        return None
    return EXPLANATIONS.get(("code", -code, role))


def explain_success(role: Role, failed: Mapping[str, int]) -> Explanation | None:
    """What the code 0 of a chain means in which requests have `failed`, by name and code; None if none has."""
    if not failed:
        return None
    who = ", ".join(f"{name} (-{errno_name(-code)})" for name, code in failed.items())
    return Explanation(
        happened=f"0 does not tell of the requests of this chain that failed: {who}",
        whose=WHOSE[role],
        remedy="Read acomp_request_err of every request of a chain, whatever its code is.",
    )


def explain_array(all_went_well: object) -> Explanation | None:
    """What a call with arrays means that was answered so; None if all went well."""
    return None if all_went_well else EXPLANATIONS["array", 0, "units"]


def explain_reject(reject: Reject) -> Explanation:
    """What it means that a store has not taken a folio."""
    return EXPLANATIONS["store", None, reject]


def explain_error(error: Failure) -> Explanation | None:
    """What an exception means; None for one that no script is known to provoke."""
    return EXPLANATIONS.get((error.type, error.errno, "call"))
