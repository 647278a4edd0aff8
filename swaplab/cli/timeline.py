"""A timeline on a terminal: time, a lane for each task, and what happens; where that is too narrow, without the lanes.

Nothing of what programs call themselves is taken for markup.
"""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from swaplab.stress.timeline import Kind, Row, Timeline
from swaplab.stress.words import duration

NARROW = 36
"""Characters that words need beside the lanes."""
TIME = 10

MARKS = {
    "": "  ",
    "alive": "│ ",
    "event": "● ",
    "end": "■ ",
    "cancel": "✖ ",
    "sent": "✖ ",
    "fault": "! ",
    "log": "» ",
}
ASCII = {"│ ": "| ", "● ": "o ", "■ ": "# ", "✖ ": "X ", "» ": "> "}
STYLES = {
    Kind.CANCEL: "bold red",
    Kind.BROKEN: "bold red",
    Kind.FAULT: "yellow",
    Kind.LOG: "cyan",
    Kind.LATER: "dim",
    Kind.FOLDED: "dim",
}
COLOURS = ("blue", "magenta", "green", "cyan", "yellow")
"""Of lanes; all can be read on black and on white."""


def show_timeline(console: Console, drawn: Timeline) -> None:
    """Print a timeline as wide as the console is; of the loop's own events the page tells."""
    plain = console.options.ascii_only
    lanes = 2 * len(drawn.lanes) if console.width - TIME - 2 * len(drawn.lanes) >= NARROW else 0
    if lanes:
        for heading in _headings(drawn, plain):
            console.print(heading, soft_wrap=True)
    before = None
    for row in drawn.rows:
        if row.kind is Kind.CALLBACK:
            continue
        for line in _lines(drawn, row, "" if row.ns == before else duration(row.ns), lanes, console.width, plain):
            console.print(line, soft_wrap=True, highlight=False)
        before = row.ns


def _headings(drawn: Timeline, plain: bool) -> Iterator[Text]:
    """The name of each lane, above it."""
    for index, lane in enumerate(drawn.lanes):
        heading = Text(" " * TIME)
        for other in range(index):
            heading.append(_mark("alive", plain), _colour(other))
        yield heading.append(lane.name, _colour(index))


def _lines(drawn: Timeline, row: Row, time: str, lanes: int, width: int, plain: bool) -> Iterator[Text]:
    """A row: words that do not fit go on below, beside the lanes."""
    room = max(width - TIME - lanes, 10)
    words = Text(_words(drawn, row, room, named=not lanes), STYLES.get(row.kind, ""))
    for number, part in enumerate(words.wrap(Console(width=room), room) or [Text("")]):
        line = Text(f"{time if number == 0 else '':>{TIME - 1}} ", "dim")
        for index in range(lanes // 2):
            state = drawn.state(index, row)
            if number:
                state = "" if state in ("", "end") else "alive"
            style = STYLES.get(row.kind, _colour(index)) if state not in ("alive", "event", "end") else _colour(index)
            line.append(_mark(state, plain), style)
        line.append_text(part)
        line.rstrip()
        yield line


def _words(drawn: Timeline, row: Row, room: int, named: bool) -> str:
    """What is said in a row: with as many callers of the function in which somebody stands as leave it on one line."""
    ways = [_said(drawn, row, row.chained(callers), named) for callers in range(len(row.callers), -1, -1)]
    return next((way for way in ways if len(way) <= room), ways[-1])


def _said(drawn: Timeline, row: Row, text: str, named: bool) -> str:
    text = " ".join(text.split())
    match row.kind:
        case Kind.LATER:
            return f"... {text}"
        case Kind.FOLDED:
            return f"... {text}" + (" (--html FILE shows more)" if row.event else "")
        case Kind.BROKEN:
            return f"did not hold: {text}"
        case Kind.LOG:
            text = f'log: "{text}"'
        case Kind.FAULT:
            text = f"fault: {text}"
    name = "" if row.lane is None else drawn.lanes[row.lane].name
    if row.kind in (Kind.CANCEL, Kind.SENT):
        return f"{name} {text}"
    return f"{name}: {text}" if name and named else text


def _mark(state: str, plain: bool) -> str:
    mark = MARKS[state]
    return ASCII.get(mark, mark) if plain else mark


def _colour(lane: int) -> str:
    return COLOURS[lane % len(COLOURS)]
