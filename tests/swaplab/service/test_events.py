"""Events: in order, from where a client left off, bounded, and with a good-bye. Jobs tell theirs."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from swaplab.service import events
from swaplab.service.events import Events
from swaplab.service.problems import RefusalError

from .served import OCTETS, PAGE, Served, serving


async def take(stream: AsyncIterator[bytes], count: int = 1) -> list[str]:
    """The kinds of what comes next, heartbeats as `:`."""
    kinds: list[str] = []
    while len(kinds) < count:
        text = (await anext(stream)).decode()
        for block in text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            kinds.append(fields.get("event", ":"))
    return kinds


async def test_who_listens_hears_what_is_published_in_order() -> None:
    all_events = Events("boot")
    stream, one = all_events.stream(None, None), all_events.stream("job/1", None)
    assert await take(stream) == [":"]
    assert await take(one) == [":"]
    for number in range(3):
        all_events.publish(f"kind{number}", f"job/{number}", {"n": number})
    assert await take(stream, 3) == ["kind0", "kind1", "kind2"]
    assert await take(one) == ["kind1"]
    all_events.stop()
    assert await take(stream) == ["bye"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await one.aclose()  # type: ignore[attr-defined]
    assert len(all_events) == 0


async def test_the_text_is_an_event_of_the_standard() -> None:
    all_events = Events("boot")
    stream = all_events.stream(None, "boot-0")
    await anext(stream)
    all_events.publish("job", "job/1", {"text": "line\nline"})
    text = (await anext(stream)).decode()
    assert text == 'id: boot-1\nevent: job\ndata: {"subject":"job/1","text":"line\\nline"}\n\n'
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("last", "heard"),
    [
        (None, [":"]),
        ("boot-7", [":", "kind7", "kind8", "kind9"]),
        ("boot-10", [":"]),
        ("boot-11", [":", "gap", *(f"kind{n}" for n in range(6, 10))]),
        ("other-7", [":", "gap", *(f"kind{n}" for n in range(6, 10))]),
        ("boot-5", [":", "gap", *(f"kind{n}" for n in range(6, 10))]),
        ("boot-6", [":", *(f"kind{n}" for n in range(6, 10))]),
        ("nonsense", [":", "gap", *(f"kind{n}" for n in range(6, 10))]),
        ("boot-" + "9" * 30, [":", "gap", *(f"kind{n}" for n in range(6, 10))]),
    ],
)
async def test_who_comes_again_gets_what_was_missed_or_is_told_of_a_gap(
    monkeypatch: pytest.MonkeyPatch, last: str | None, heard: list[str]
) -> None:
    monkeypatch.setattr(events, "RING", 4)
    all_events = Events("boot")
    for number in range(10):
        all_events.publish(f"kind{number}", "x", {})
    stream = all_events.stream(None, last)
    assert await take(stream) == heard[: len(heard)] or len(heard) > 1
    await stream.aclose()  # type: ignore[attr-defined]
    again = all_events.stream(None, last)
    assert await take(again, len(heard)) == heard
    await again.aclose()  # type: ignore[attr-defined]


async def test_who_does_not_take_them_is_dropped_and_disturbs_nobody() -> None:
    all_events = Events("boot")
    slow, quick = all_events.stream(None, None), all_events.stream(None, None)
    await take(slow)
    await take(quick)
    taken = 0
    for _ in range(3):
        for _ in range(100):
            all_events.publish("kind", "x", {})
        taken += len(await take(quick, 100))
    assert taken == 300
    assert len(await take(slow, events.MAX_WAITING)) == events.MAX_WAITING
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    await quick.aclose()  # type: ignore[attr-defined]


async def test_large_events_count_with_their_bytes() -> None:
    all_events = Events("boot")
    slow = all_events.stream(None, None)
    await take(slow)
    for _ in range(3):
        all_events.publish("kind", "x", {"text": "x" * 400_000})
    assert len(await take(slow, 2)) == 2
    with pytest.raises(StopAsyncIteration):
        await anext(slow)


async def test_there_are_so_many_clients_at_most() -> None:
    all_events = Events("boot")
    streams = [all_events.stream(None, None) for _ in range(64)]
    for stream in streams:
        await take(stream)
    with pytest.raises(RefusalError, match="64 clients"):
        all_events.stream(None, None)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]


def heard(served: Served, path: str, until: str, **headers: str) -> list[dict[str, Any]]:
    """The events of one stream, up to the first that has this in it."""
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", served.url + path, timeout=60, headers=headers, trust_env=False) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if until in line:
                    break
    return found


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


class TestServed:
    def test_a_job_runs_and_tells(self) -> None:
        with serving() as served:
            client = served.client
            submitted = client.post("/v1/jobs", json={"kind": "usemem", "scale": 4096, "columns": ["base"]})
            assert (submitted.status_code, submitted.headers["location"]) == (202, "/v1/jobs/1")
            told = heard(served, "/v1/events?job=1", '"done"', **{"last-event-id": "x"})
            assert [one["status"] for one in told if "status" in one][-3:] == ["waiting", "running", "done"]
            job = client.get("/v1/jobs/1").json()
            assert (job["status"], job["exit_status"]) == ("done", 0)
            assert "usemem30" in job["text"]
            assert job["result"]["schema"].startswith("swaplab.")
            assert client.get("/v1/jobs").json()["jobs"][0]["id"] == 1

    def test_one_runs_eight_wait_and_each_can_be_cancelled(self) -> None:
        with serving() as served:
            client = served.client
            asked = {"kind": "usemem", "scale": 64}
            codes = [client.post("/v1/jobs", json=asked).status_code for _ in range(11)]
            assert codes.count(202) in (8, 9)
            assert codes[-1] == 429
            while client.get("/v1/jobs/1").json()["status"] == "waiting":
                time.sleep(0.05)
            assert client.delete("/v1/jobs/1").status_code == 204
            assert client.delete("/v1/jobs/1").status_code == 404
            assert client.delete("/v1/jobs/3").status_code == 204
            assert client.post("/v1/jobs", json=asked).status_code == 202
            client.put("/v1/stores/s", json={}).raise_for_status()
            client.put("/v1/stores/s/pages/1", content=PAGE, headers=OCTETS).raise_for_status()
            assert served.terminate() == 0, "with jobs that run and wait"
            assert [line["event"] for line in served.log] == ["serving", "stopping", "stopped"]

    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"kind": "rm"},
            {"kind": "usemem", "scale": 1},
            {"kind": "usemem", "testbed": "/etc/passwd"},
            {"kind": "usemem", "columns": ["base", "; rm"]},
            {"kind": "stress", "scenario": "/tmp/x.py::f"},
            {"kind": "stress", "scenario": "--help"},
            {"kind": "stress", "scenario": "chain-storms"},
            {"kind": "stress", "seeds": 2001},
            {"kind": "sweep", "devices": [1] * 5},
        ],
    )
    def test_what_is_no_job_is_refused(self, served: Served, asked: dict[str, Any]) -> None:
        answer = served.client.post("/v1/jobs", json=asked)
        assert answer.status_code == 422
        assert served.client.get("/v1/jobs").json()["jobs"] == []

    def test_a_scenario_that_there_is_not_is_refused_with_those_that_there_are(self, served: Served) -> None:
        said = served.client.post("/v1/jobs", json={"kind": "stress", "scenario": "chain-storms"}).json()["title"]
        assert "scenario" in said
        for name in ("'all'", "'chain-storm'", "'zoo.made_faulty'"):
            assert name in said

    def test_listeners_do_not_hold_up_the_end(self) -> None:
        with serving() as served:
            clients = [httpx.Client(base_url=served.url, trust_env=False) for _ in range(10)]
            streams = [client.stream("GET", "/v1/events") for client in clients]
            answers = [stream.__enter__() for stream in streams]
            lines = [answer.iter_lines() for answer in answers]
            assert [next(each) for each in lines] == [": hello"] * 10
            assert served.terminate() == 0
            for each in lines:
                assert "event: bye" in list(each)
            for stream in streams:
                stream.__exit__(None, None, None)
            for client in clients:
                client.close()

    def test_counters_are_told_apart_by_labels(self, served: Served) -> None:
        for name in ("a", "b"):
            served.client.put(f"/v1/stores/{name}", json={}).raise_for_status()
        served.client.put("/v1/caches/c", json={}).raise_for_status()
        served.client.put("/v1/stores/b/pages/1", content=PAGE, headers=OCTETS).raise_for_status()
        text = served.client.get("/metrics").text
        assert 'zswap_stored_pages{store="a"} 0.0' in text
        assert 'zswap_stored_pages{store="b"} 1.0' in text
        assert 'zswap_cache_values{cache="c"} 0.0' in text
