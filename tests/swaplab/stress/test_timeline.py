"""The timeline of a finding: what its rows say, and in what order; long ones are folded."""

import asyncio
import re
from contextlib import suppress
from io import StringIO

import pytest
from rich.console import Console

from swaplab import stress
from swaplab.cli.timeline import show_timeline
from swaplab.stress import recording
from swaplab.stress.page import page
from swaplab.stress.timeline import Kind, timeline
from swaplab.stress.words import callback, duration, waiting


async def client_of(world: stress.World) -> None:
    world.log("[red]begins[/] <b>")
    await asyncio.sleep(0)
    await world.faulty(asyncio.sleep, fail=1, delay_ms=(1, 1))(0.01)


@stress.scenario(jitter_ms=0)
async def fails(world: stress.World) -> None:
    asyncio.get_running_loop().call_later(0.0005, lambda: None)
    async with world.clients(lambda: client_of(world), n=2):
        await asyncio.sleep(0.01)
    raise LookupError("no [bold]such[/] <thing>")


@stress.scenario(cancel=False)
async def turns(world: stress.World) -> None:
    for _ in range(200):
        await asyncio.sleep(0)
    world.log("half")
    for _ in range(200):
        await asyncio.sleep(0)
    raise LookupError


def found(scenario: stress.Scenario) -> stress.Finding:
    finding = stress.explore(scenario).finding
    assert finding is not None
    return finding


def test_rows_are_in_the_order_of_what_happened() -> None:
    drawn = timeline(found(fails), 1000)
    assert [lane.name for lane in drawn.lanes] == ["the scenario", "client 0", "client 1"]
    assert [(str(row.kind), row.lane) for row in drawn.rows if row.kind is not Kind.CALLBACK] == [
        ("event", 0),
        *[("log", 1), ("event", 1), ("log", 2), ("event", 2)],
        *[("event", 1), ("event", 2)],
        ("later", None),
        ("later", None),
        *[("fault", 1), ("event", 1), ("fault", 2), ("event", 2)],
        ("later", None),
        *[("event", 0), ("event", 0), ("broken", None)],
    ]
    texts = [row.text for row in drawn.rows]
    assert re.fullmatch(r"yields in client_of \(test_timeline.py:\d+\)", texts[2])
    assert "500 us later" in texts and "asyncio.sleep" not in "".join(texts)
    assert texts[-1].startswith("the scenario ended with LookupError('no [bold]such[/] <thing>')")


def test_lanes_begin_and_end_with_their_tasks() -> None:
    drawn = timeline(found(fails), 1000)
    states = [drawn.state(1, row) for row in drawn.rows]
    assert states[:4] == ["", "log", "event", "alive"]
    ends = states.index("end")
    assert set(states[4:ends]) <= {"alive", "event", "fault"} and set(states[ends + 1 :]) == {""}


def test_a_cancellation_has_a_row_behind_its_event() -> None:
    @stress.scenario(jitter_ms=0)
    async def scenario(world: stress.World) -> None:
        async def client() -> None:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                raise LookupError from None

        async with world.clients(client, n=1):
            pass

    rows = timeline(found(scenario), 1000).rows
    (at,) = (index for index, row in enumerate(rows) if row.kind is Kind.CANCEL)
    assert rows[at].text == "is cancelled, 1 event after it was made" and rows[at].lane == 1
    assert rows[at - 1].event == rows[at].event < rows[at + 1].event


async def called_by(future: "asyncio.Future[None]") -> None:
    await future


async def caller(future: "asyncio.Future[None]") -> None:
    await called_by(future)


@stress.scenario(cancel=False, jitter_ms=0)
async def cancels(world: stress.World) -> None:
    async def client() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await caller(asyncio.get_running_loop().create_future())
        inner = asyncio.ensure_future(asyncio.sleep(1))
        await asyncio.sleep(0)
        inner.cancel()

    await world.target(client())
    raise LookupError


def test_cancellations_that_the_program_sends_have_their_place() -> None:
    drawn = timeline(found(cancels), 1000)
    sent = [row for row in drawn.rows if row.kind is Kind.SENT]
    assert [(drawn.lanes[row.lane or 0].name, row.text) for row in sent] == [
        ("target 0: client", "is cancelled: a deadline is reached"),
        ("Task-3", "is cancelled by target 0: client"),
    ]


def test_what_we_cancel_is_not_said_to_be_sent_by_the_program() -> None:
    @stress.scenario(jitter_ms=0, sweep_seeds=1, seeds=1)
    async def scenario(world: stress.World) -> None:
        async def client() -> None:
            inner = asyncio.ensure_future(asyncio.sleep(0.01))
            try:
                await inner
            except asyncio.CancelledError:
                raise LookupError from None

        async with world.clients(client, n=1):
            pass

    drawn = timeline(found(scenario), 1000)
    assert [row.lane for row in drawn.rows if row.kind in (Kind.CANCEL, Kind.SENT)] == [1]


def test_who_awaits_the_function_is_said_where_it_fits() -> None:
    drawn = timeline(found(cancels), 1000)
    (row,) = (row for row in drawn.rows if row.callers and "called_by" in row.text)
    assert row.callers == ("client", "caller")
    ways = [row.chained(callers).partition(" (")[0] for callers in range(3)]
    assert ways == ["waits in called_by", "waits in caller > called_by", "waits in client > caller > called_by"]
    for width, shown in ((120, "in client > caller > called_by"), (50, "waits in called_by")):
        out = StringIO()
        show_timeline(Console(file=out, width=width), drawn)
        assert shown in out.getvalue()


def test_faults_are_told_with_their_name_their_time_and_who_met_them() -> None:
    @stress.scenario(jitter_ms=0, seeds=1, cancel=False)
    async def scenario(world: stress.World) -> None:
        query = world.faulty(asyncio.sleep, fail=1, delay_ms=(1, 1), name="query")
        async with world.clients(lambda: query(1), n=1):
            pass
        raise LookupError

    assert "  1 ms, client 0: query failed" in found(scenario).told()


def test_a_long_one_is_folded_around_what_is_noted() -> None:
    drawn = timeline(found(turns), 60)
    assert len(drawn.rows) == 60 + 2
    folded = [row.text for row in drawn.rows if row.kind is Kind.FOLDED]
    assert len(folded) == 2 and all(text.endswith(" more events") for text in folded)
    left_out = sum(int(text.split()[0]) for text in folded)
    everything = [row for row in timeline(found(turns), 10_000).rows if row.kind is not Kind.LATER]
    assert left_out + len([row for row in drawn.rows if row.kind is not Kind.FOLDED]) == len(everything)


def test_what_is_folded_on_a_terminal_is_said_to_be_on_the_page() -> None:
    out = StringIO()
    show_timeline(Console(file=out, width=100), timeline(found(turns), 60))
    assert out.getvalue().count("more events (--html FILE shows more)") == 2


def test_what_was_too_long_to_be_recorded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_STEPS", 100)
    rows = timeline(found(turns), 1000).rows
    assert (rows[0].kind, rows[0].text, rows[1].event) == (Kind.FOLDED, "302 more events", 303)


@pytest.mark.parametrize(("width", "lanes"), [(40, False), (80, True)])
def test_on_a_terminal_it_is_as_wide_as_that_and_no_markup(width: int, lanes: bool) -> None:
    out = StringIO()
    show_timeline(Console(file=out, width=width), timeline(found(fails), 100))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width and lines == [line.rstrip() for line in lines]
    said = " ".join(out.getvalue().replace("\u2502", "").split())
    assert 'log: "[red]begins[/] <b>"' in said and "'no [bold]such[/] <thing>'" in said
    assert ("\u25cf" in said) is lanes and ("client 0: log:" in said) is not lanes


def test_the_page_of_a_replay_is_whole() -> None:
    report = stress.explore(fails, token=found(fails).token)
    text = page({"fails <1>": report}, {"fails <1>": "swaplab stress 'a & b'"})
    assert "fails &lt;1&gt;" in text and "a &amp; b" in text and "<thing>" not in text
    assert text.count("<table") == text.count("</table>") == 2 and text.rstrip().endswith("</html>")


def test_words() -> None:
    assert [duration(ns) for ns in (0, 999, 1_500, 22_915_000, 3_200_000_000, 7_200_000_000_000)] == [
        *("0 ns", "999 ns", "1.5 us", "22.91 ms"),
        *("3.2 s", "7,200 s"),
    ]
    assert waiting("in f (x.py:3) for <Future pending cb=[VirtualTask.task_wakeup()]>") == (
        "waits in f (x.py:3) for a future"
    )
    assert waiting("in f.<locals>.A.g.<locals>.h (x.py:3) for Event.wait of <Event>") == (
        "waits in h (x.py:3) for Event.wait of <Event>"
    )
    many = ", ".join(f"task 'client {number}'" for number in range(7))
    assert waiting(f"in f (x.py:3) for _wait of {many}") == "waits in f (x.py:3) for 7 tasks"
    assert callback("mine") == "mine"
