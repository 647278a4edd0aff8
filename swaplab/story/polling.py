"""Which events of a run are looks at a job: somebody asked whether it had landed, and was told."""

from collections.abc import Iterator, Sequence

from .answer import Event


def row_of(event: Event) -> str | None:
    """Whose row of a picture an event is in: its request's, or `<request>/<unit>`."""
    unit = event.fields.get("unit")
    return event.object if unit is None else f"{event.object}/{unit}"


def ends(events: Sequence[Event]) -> dict[str | None, int]:
    """The code that each row has ended in, the last time."""
    return {row_of(event): int(event.fields["err"] or 0) for event in events if event.kind == "complete"}


def looks(events: Sequence[Event]) -> set[int]:
    """The places of those events that are looks: each empty poll, and each end of what had landed and was polled.

    Only a parallel run polls. A chain's run was one if it had an empty poll, which may come after the first of its
    requests has ended; arrays and units, whose events have no head, always run in parallel.
    """
    return set(_looks(events))


def _looks(events: Sequence[Event]) -> Iterator[int]:
    landed = set[str | None]()
    parallel = set[object]()
    undecided: dict[object, list[int]] = {}
    for place, event in enumerate(events):
        row, head = row_of(event), event.fields.get("head")
        if event.kind == "submit":
            landed.discard(row)
            if event.object == head:  # another run of this chain begins
                parallel.discard(head)
                undecided[head] = []
        elif event.kind == "iaa.landed":
            landed.add(row)
        elif event.kind == "poll.empty":
            parallel.add(head)
            yield from (place, *undecided.pop(head, ()))
        elif event.kind == "complete" and row in landed:
            if head is None or head in parallel:
                yield place
            else:
                undecided.setdefault(head, []).append(place)
