"""The shelf: scripts that have names, to be shown and changed. The examples of docs/scripts.md, and stories.

Each shows one thing. What is to be seen is said in one sentence.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from .script import Script
from .telling import Story, cleared, script_of, singles, stored
from .validate import read_script


class Shown(NamedTuple):
    """A script of the shelf. `script` makes it."""

    name: str
    title: str
    what: str
    script: Callable[[], Script]
    shelf: Literal["story", "example"] = "story"


def example(name: str) -> bytes:
    """The JSON of an example."""
    return (resources.files(__package__) / "examples" / f"{name}.json").read_bytes()


def _example(name: str, title: str, what: str) -> Shown:
    return Shown(name, title, what, lambda: read_script(example(name)), "example")


def _story(name: str, title: str, what: str, story: Story) -> Shown:
    return Shown(name, title, what, lambda: script_of(story))


_EXAMPLES: Final = (
    _example(
        "01_chain",
        "The chain of the README",
        "eight pages: submitted, polled in rounds, finished",
    ),
    _example("02_sync_or_async", "Sync or async", "the same three pages in parallel, then serially"),
    _example(
        "03_head_fails",
        "A chain of three whose head fails",
        "the head's submission fails: its error on every member, nothing else submitted",
    ),
    _example(
        "04_member_fails",
        "A chain of four with two failures",
        "two members fail, each in its way: the chain returns 0 all the same",
    ),
    _example(
        "05_eagain_at_submit_and_at_poll",
        "-EAGAIN, twice",
        '-EAGAIN from a submission is final; from a poll it means "not yet"',
    ),
    _example(
        "06_clear_forgotten",
        "Clear forgotten",
        "members stay chained, and the wait object has an old completion: a wait returns at once (-115, -EINPROGRESS,"
        " stands for what a driver would have returned)",
    ),
    _example(
        "07_cancelled_half_way",
        "Cancelled half way",
        "jobs go on and hold their requests; `requests_idle` tells when they have landed",
    ),
    _example("08_freed_too_early", "Freed too early", "freed while chained, while in flight, and twice"),
    _example(
        "09_two_chains_on_one_device",
        "Two chains on one device",
        "two tasks: the second chain waits for the first one's engines",
    ),
    _example(
        "10_device_removed",
        "A device removed",
        "jobs in flight end well; what comes after is -ENODEV, until the device is bound again",
    ),
    _example(
        "11_lost_completion",
        "A lost completion",
        "one job never lands: -ETIMEDOUT, and the whole driver is disabled",
    ),
    _example(
        "12_unit_size_forgotten",
        "Unit size forgotten",
        "without a unit size a folio is one unit; `acomp_request_set_callback` forgets it",
    ),
    _example(
        "13_software_fallback",
        "Software fallback",
        "the device fails a decompression, and the cpu does it; of a compression it is the end",
    ),
)
"""In the order of docs/scripts.md."""

_ONE_DEVICE: Final = partial(Story, devices=1, wqs=1, engines=2)
_STORIES: Final = (
    Shown(
        "one-page", "One page", "one request is compressed: the cpu waits while the device works", partial(singles, 1)
    ),
    Shown(
        "two-pages",
        "Two pages",
        "two requests, one after the other: never is more than one job in the device",
        partial(singles, 2),
    ),
    _story(
        "chain",
        "Eight pages in a chain",
        "all are submitted before the first is polled: two engines work side by side",
        _ONE_DEVICE(),
    ),
    _story(
        "chain-sync",
        "The same chain, one page after the other",
        "each is waited for before the next is submitted: no overlap",
        _ONE_DEVICE(sync_mode="sync"),
    ),
    _story(
        "chain-unit",
        "The same pages as units",
        "one request, which the driver cuts up: its units are submitted like a chain",
        _ONE_DEVICE(interface="unit"),
    ),
    _story(
        "chain-array",
        "The same pages as arrays",
        "one call with arrays: no chain is linked, no completion function is called",
        _ONE_DEVICE(interface="array"),
    ),
    _story(
        "four-devices",
        "Four devices",
        "global queues spread a chain of eight over four devices: more overlap",
        Story(engines=2),
    ),
    _story(
        "member-fails",
        "Eight pages, and one does not compress",
        "r3 gets -E2BIG for its page, the fourth; the others, and the chain's code, are 0",
        _ONE_DEVICE(incompressible=3),
    ),
    _story(
        "head-fails",
        "Eight pages, and the head is refused",
        "its -EIO is on every member, for no other was submitted",
        _ONE_DEVICE(fail=0),
    ),
    Shown(
        "clear-rearms",
        "A clear re-arms the wait object",
        'a wait for -115 (-EINPROGRESS: "begun, a completion will come"; here for new work that has not ended) returns'
        " at once, since the chain's old completion still counts. The chain runs again; `acomp_reqchain_clear` takes"
        " its completion away, and now a wait waits",
        cleared,
    ),
    Shown(
        "store",
        "A folio in the store",
        "zswap chains the eight pages of a folio; one is loaded again, alone",
        partial(stored, 8),
    ),
    Shown(
        "store-rejects",
        "A folio is rejected",
        "p3, the fourth page, does not compress: the whole folio is rejected, and reject_compress_fail counts",
        partial(stored, 8, 3),
    ),
    Shown(
        "store-raw",
        "A page stored as it is",
        "what v12 changed: p3, the fourth page, does not compress, is stored raw, and the folio is in",
        partial(stored, 8, 3, "raw"),
    ),
)

EXAMPLES: Final[Mapping[str, Shown]] = MappingProxyType({shown.name: shown for shown in _EXAMPLES})
"""The examples alone."""
SHELF: Final[Mapping[str, Shown]] = MappingProxyType({shown.name: shown for shown in (*_STORIES, *_EXAMPLES)})
"""All of them, in reading order."""
