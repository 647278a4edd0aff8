"""The events of a run in plain English, one sentence each.

Knows the kinds of events that `acomp.trace` is told of, and nothing of scripts or of what tells them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from iaa_emulator.hardware.descriptor import SUCCESS

from .answer import Event
from .pipeline import code_name
from .polling import looks

_AT_FAULT: Final = {"iaa": "the device goes", "acomp": "the runner goes"}


def sentences(events: Sequence[Event]) -> Iterator[str]:
    """A sentence for each event, in the same order."""
    looked = looks(events)
    for place, event in enumerate(events):
        who = _who(event)
        if event.kind == "complete" and place in looked:
            yield f"{who} is polled: {_end(event)}"
        else:
            say = _SENTENCES.get(event.kind)
            yield event.kind if say is None else say(who, event)


def _who(event: Event) -> str:
    unit = event.fields.get("unit")
    request = event.object or "a request without a name"
    return request if unit is None else f"unit {unit} of {request}"


def _code(event: Event, key: str) -> str:
    return code_name(int(event.fields[key] or 0))


def _end(event: Event) -> str:
    return f"{'failed' if event.fields['err'] else 'finished'}, {_code(event, 'err')}"


def _landed(who: str, event: Event) -> str:
    status = event.fields["status"]
    if status is None:
        return f"{who} is taken back from the device: there is no completion record"
    return f"{who} has landed: its completion record is written" + f", with status {status}" * (status != SUCCESS)


def _stored(store: str, event: Event) -> str:
    pages, offset = event.fields["nr_pages"], event.fields["offset"]
    folio = f"the folio of {pages} page{'s' * (pages != 1)} at slot {offset}"
    return f"{folio} is in {store}" if event.fields["stored"] else f"{store} rejects {folio}: no page of it is in"


def _retried(who: str, event: Event) -> str:
    attempts = event.fields["attempts"]
    if event.fields["got"]:
        return f"{who} found no descriptor at first, and got one after {attempts} more tr{_ies(attempts)}"
    return f"no descriptor came free for {who} in {attempts} tr{_ies(attempts)}: it is given up"


def _ies(number: object) -> str:
    return "y" if number == 1 else "ies"


def _fault(_: str, event: Event) -> str:
    point = str(event.fields["point"])
    return f"{_AT_FAULT.get(point.partition('.')[0], 'something goes')} wrong, as asked: {point}"


_SENTENCES: Final[Mapping[str, Callable[[str, Event], str]]] = MappingProxyType(
    {
        "chain.init": lambda who, event: f"{who} becomes the head of a chain",
        "chain.add": lambda who, event: f"{who} is chained to {event.fields['head']}",
        "submit": lambda who, event: f"{who} is submitted",
        "poll.empty": lambda who, event: f"{who} is polled: not finished",
        "complete": lambda who, event: f"{who} has {_end(event)}",
        "iaa.queued": lambda who, event: (
            f"{who} waits in queue {event.fields['wq']} of {event.fields['device']}, in slot {event.fields['slot']}"
        ),
        "iaa.start": lambda who, event: f"an engine of {event.fields['device']} begins with {who}",
        "iaa.landed": _landed,
        "iaa.landed_again": lambda who, event: f"{who} has landed once more, which changes nothing",
        "iaa.retry": _retried,
        "iaa.fallback": lambda who, event: f"software decompresses {who}: the device had {_code(event, 'cause')}",
        "iaa.disabled": lambda who, event: (
            f"the driver is disabled: {who} did not land on {event.fields['device']} in time"
        ),
        "zswap.context.lock": lambda who, event: f"{who} takes the requests and buffers of cpu {event.fields['cpu']}",
        "zswap.context.unlock": lambda _, event: (
            f"{event.object or 'a store'} gives the requests and buffers of cpu {event.fields['cpu']} back"
        ),
        "zswap.store": _stored,
        "zswap.load": lambda who, event: (
            f"{who} gives back the page at slot {event.fields['offset']}, and has it no more"
        ),
        "fault": _fault,
        "callback.raised": lambda _, event: (
            f"a completion function has raised {event.fields['type']}: {event.fields['message']}"
        ),
    }
)

KINDS: Final = frozenset(_SENTENCES)
"""The kinds of events that have a sentence; of another its kind is said."""
