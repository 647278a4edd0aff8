"""Findings as one page of HTML that needs nothing else: a table of all scenarios, and a timeline for each finding.

It can be read without its script, with a keyboard alone, on a telephone and on paper. What programs call themselves is
escaped.
"""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

from .report import ENDED_BY_IT, Finding, Report
from .timeline import Kind, Row, Timeline, timeline
from .words import duration, waiting

HERE = Path(__file__).parent
MOST_ROWS = 2_000
MOST_CELLS = 40_000
"""Rows and marks in lanes that a browser shows at once."""
MOST_LANES = 4
"""More are left out where the page is narrow, as on a telephone: the names of the tasks stay."""
HUES = (215, 28, 145, 280, 190, 340, 45, 250, 110, 0)
"""Of lanes, in degrees, so that neighbours differ."""

MARKS = {
    Kind.CANCEL: "\N{MULTIPLICATION SIGN}",
    Kind.SENT: "\N{MULTIPLICATION SIGN}",
    Kind.FAULT: "!",
    Kind.LOG: "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
}

COLUMNS = ("runs", "seeds", "events", "virtual time", "swallowed")


def page(reports: Mapping[str, Report], commands: Mapping[str, str]) -> str:
    """Return the page of some reports by name; `commands` are those that repeat the findings of some."""
    failed = sum(not report.ok for report in reports.values())
    said = f"{failed} of {len(reports)} failed" if failed else f"all {len(reports)} held"
    if len(reports) == 1:
        said = "it failed" if failed else "it held"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>swaplab stress: {escape(said)}</title>",
            f"<style>\n{_file('page.css')}</style>\n</head>\n<body>\n<main>",
            f"<h1>swaplab stress</h1>\n<p class=faint>{_scenarios(len(reports))} explored in virtual time: {said}.</p>",
            *_summary(reports),
            *(
                line
                for number, name in enumerate(commands)
                if (finding := reports[name].finding) is not None
                for line in _finding(number, name, finding, commands[name])
            ),
            f"</main>\n<script>\n{_file('page.js')}</script>\n</body>\n</html>\n",
        ]
    )


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _scenarios(count: int) -> str:
    return "One scenario" if count == 1 else f"{count} scenarios"


def _summary(reports: Mapping[str, Report]) -> Iterator[str]:
    heads = "".join(f'<th scope=col class="number">{name}</th>' for name in COLUMNS)
    yield '<div class="wide" tabindex=0 role=region aria-label="All scenarios"><table class="summary">'
    yield f"<thead><tr><th scope=col>scenario</th>{heads}<th scope=col>sometimes</th><th scope=col>verdict</th></tr>"
    yield "</thead><tbody>"
    for name, report in reports.items():
        figures = (report.runs, report.seeds, report.events, duration(report.time_ns), report.swallowed)
        cells = "".join(
            f'<td class="number" data-name="{column}">{value if isinstance(value, str) else f"{value:,}"}</td>'
            for column, value in zip(COLUMNS, figures, strict=True)
        )
        sometimes = "<br>".join(escape(f"{what}: {times:,}") for what, times in report.reached.items()) or "none"
        verdict, why = _verdict(report)
        yield f"<tr><th scope=row>{escape(name)}</th>{cells}<td data-name=sometimes>{sometimes}</td>"
        yield f'<td data-name=verdict class="{"held" if report.ok else "failed"}">{verdict}{why}</td></tr>'
    yield "</tbody></table></div>"


def _verdict(report: Report) -> tuple[str, str]:
    if report.ok:
        return report.held, f"; in {report.ended_by_it:,} runs {ENDED_BY_IT}" if report.ended_by_it else ""
    if report.refused:
        return "refused", f": {escape(report.refused)}"
    if report.finding is not None:
        return "failed", f": {escape(report.finding.run.broken[0])}"
    if report.not_reproducible:
        return "not reproducible", f": {escape(report.not_reproducible)}"
    return "never reached", f": {escape(', '.join(report.unreached))}"


def _finding(number: int, name: str, finding: Finding, command: str) -> Iterator[str]:
    run = finding.run
    yield f'<section class="finding" aria-labelledby="finding-{number}"><h2 id="finding-{number}">{escape(name)}</h2>'
    for broken in run.broken:
        yield f'<p class="broken"><strong>Did not hold:</strong> {escape(broken)}</p>'
    yield '<dl class="facts">'
    for term, said in _facts(finding):
        yield f"<dt>{term}</dt><dd>{escape(said)}</dd>"
    yield "</dl>"
    yield f'<div class="replay"><pre><code>{escape(command)}</code></pre><button type=button hidden>Copy</button></div>'
    yield "<h3>What happened</h3>"
    yield f'<input type=checkbox class="own" id="own-{number}">'
    yield f"<label for=own-{number}>show the loop's own events</label>"
    most = min(MOST_ROWS, MOST_CELLS // max(1, len(finding.recording.lanes)))
    yield from _timeline(timeline(finding, most), name)
    if run.waiting:
        yield '<h3>Who waits for whom in the end</h3>\n<ul class="waits">'
        yield from (f"<li>{escape(waiting(one))}</li>" for one in run.waiting)
        yield "</ul>"
    yield "</section>"


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    run = finding.run
    yield "seed", f"{run.seed}, run {finding.run_number} of the exploration"
    yield "cancelled", str(run.cancel) if run.cancelled else "nobody"
    if finding.needs_another_order:
        yield "order", f"{run.policy}: not FIFO, which asyncio promises; a hint, and perhaps no bug"
    if said := str(run.reductions):
        yield "left out", f"{said}; found in {finding.tries} tries" if finding.tries else said
    if run.swallowed:
        yield "swallowed the cancellation", ", ".join(run.swallowed)
    if run.ended_by_it:
        yield "ended by it", ENDED_BY_IT


def _timeline(drawn: Timeline, name: str) -> Iterator[str]:
    many = " many" if len(drawn.lanes) > MOST_LANES else ""
    yield f'<div class="wide" tabindex=0 role=region aria-label="Timeline of {escape(name)}">'
    yield f'<table class="timeline{many}">'
    lanes = "".join(
        f'<th scope=col class="lane" style="--hue:{_hue(index)}"><span>{escape(lane.name)}</span></th>'
        for index, lane in enumerate(drawn.lanes)
    )
    yield f'<thead><tr><th scope=col class="number">event</th><th scope=col class="time">time</th>{lanes}'
    yield '<th scope=col class="what">what happens</th></tr></thead><tbody>'
    before_ns: int | None = None
    born: set[int] = set()
    for row in drawn.rows:
        yield _row(drawn, row, "" if row.ns == before_ns else duration(row.ns), born)
        before_ns = row.ns
    yield "</tbody></table></div>"


def _row(drawn: Timeline, row: Row, time: str, born: set[int]) -> str:
    """One row; `born` are the lanes that have been seen so far."""
    number = str(row.event) if row.kind in (Kind.EVENT, Kind.CALLBACK) else ""
    cells = "".join(_cell(drawn.state(index, row), index, row, born) for index in range(len(drawn.lanes)))
    kind = "broken-row" if row.kind is Kind.BROKEN else str(row.kind)
    who = ""
    if row.lane is not None:
        who = f'<b style="--hue:{_hue(row.lane)}">{escape(drawn.lanes[row.lane].name)}</b> '
    return (
        f'<tr class="{kind}"><td class="number">{number}</td><td class="time">{time}</td>{cells}'
        f'<td class="what">{who}{_words(row)}</td></tr>'
    )


def _cell(state: str, lane: int, row: Row, born: set[int]) -> str:
    if not state:
        return '<td class="off"></td>'
    classes: Iterable[str] = ["lane", "end" if state == "end" else "on", *([] if lane in born else ["born"])]
    born.add(lane)
    inside = ""
    if lane == row.lane:
        inside = f'<span class="mark">{MARKS[row.kind]}</span>' if row.kind in MARKS else '<span class="dot"></span>'
    return f'<td class="{" ".join(classes)}" style="--hue:{_hue(lane)}" aria-hidden=true>{inside}</td>'


def _words(row: Row) -> str:
    text = escape(row.chained())
    match row.kind:
        case Kind.BROKEN:
            return f"did not hold: {text}"
        case Kind.FAULT:
            return f"fault: {text}"
        case Kind.LOG:
            return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"
    return text


def _hue(lane: int) -> int:
    return HUES[lane % len(HUES)]
