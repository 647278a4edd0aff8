"""Scripts run in a process apart, which may die; the stores of the service notice nothing of them."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swaplab.service.script_process import answer_to
from swaplab.story.shelf import EXAMPLES, SHELF, example
from swaplab.story.view import view_of
from swaplab.story.vocabulary import vocabulary

from .served import OCTETS, PAGE, Served, serving

FAILS_EVERYTHING = {
    "schema": "swaplab.script/1",
    "calls": [
        {"call": "fault.at", "args": ["iaa.alloc_descriptor", 1]},
        {"call": "crypto_alloc_acomp", "args": ["deflate-iaa"], "as": "tfm"},
        {"call": "acomp_request_alloc", "args": [{"ref": "tfm"}], "as": "r"},
        {"call": "crypto_acomp_compress", "args": [{"ref": "r"}]},
    ],
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one
        assert one.terminate() == 0


def run(served: Served, script: Any) -> Any:
    """Run one, as soon as the worker is there."""
    return asked(served, "POST", "/v1/scripts", script)


def asked(served: Served, method: str, path: str, body: Any = None) -> Any:
    """What the worker answers, as soon as it is there."""
    for _ in range(200):
        answer = served.client.request(method, path, json=body)
        if answer.status_code != 503:
            return answer
        assert answer.headers["retry-after"] == "1"
        time.sleep(0.1)
    raise AssertionError("no worker came")


def worker_of(served: Served) -> int:
    """The process that runs scripts."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            is_worker = b"script_process" in path.read_bytes()
            parent = int(path.with_name("stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if is_worker and parent == served.process.pid:
            return int(path.parent.name)
    raise AssertionError("there is no worker")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_gives_on_the_command_line(served: Served, name: str) -> None:
    answer = run(served, json.loads(example(name)))
    assert answer.status_code == 200
    assert (False, answer.content) == answer_to(example(name))


@pytest.mark.parametrize("name", SHELF)
def test_a_view_by_its_name_is_that_of_the_script(served: Served, name: str) -> None:
    shown = asked(served, "GET", f"/v1/views/{name}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "application/json")
    assert shown.content == view_of(SHELF[name].script(), SHELF[name].title).to_json().encode()
    posted = asked(served, "POST", "/v1/views", shown.json()["script"])
    assert posted.json() == shown.json() | {"title": ""}


def test_a_view_that_the_client_has_is_not_sent_again(served: Served) -> None:
    first = asked(served, "GET", "/v1/views/chain")
    assert first.headers["cache-control"] == "no-cache"
    again = served.client.get("/v1/views/chain", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert served.client.get("/v1/views/chain", headers={"if-none-match": '"older"'}).content == first.content


def test_the_views_that_have_names_are_listed_and_others_are_refused_with_the_nearest(served: Served) -> None:
    listed = served.client.get("/v1/views").json()["views"]
    assert [one["name"] for one in listed] == list(SHELF)
    assert all(one["title"] and one["what"] for one in listed)
    assert [one["name"] for one in listed if one["shelf"] == "example"] == list(EXAMPLES)
    unknown = served.client.get("/v1/views/chain-sink")
    assert (unknown.status_code, "did you mean chain-sync?" in unknown.json()["title"]) == (404, True)


def test_a_view_is_refused_as_a_run_is(served: Served) -> None:
    wrong = {"schema": "swaplab.script/1", "calls": [{"call": "__class__"}]}
    assert asked(served, "POST", "/v1/views", wrong).json() == run(served, wrong).json()
    assert served.client.post("/v1/views", content=b"{}").status_code == 415


def test_the_vocabulary_is_that_of_the_code(served: Served) -> None:
    assert served.client.get("/v1/vocabulary").json() == vocabulary().model_dump(mode="json", by_alias=True)


def test_a_script_that_is_not_in_order_is_refused_with_the_call(served: Served) -> None:
    answer = run(served, {"schema": "swaplab.script/1", "calls": [{"call": "__class__"}]})
    assert (answer.status_code, "__class__" in answer.json()["title"]) == (422, True)
    answer = served.client.post("/v1/scripts", content=b"[" * 100_000, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert run(served, FAILS_EVERYTHING).status_code == 200


def test_a_worker_that_dies_is_replaced(served: Served) -> None:
    assert run(served, FAILS_EVERYTHING).status_code == 200
    first = worker_of(served)
    os.kill(first, signal.SIGKILL)
    assert run(served, FAILS_EVERYTHING).status_code == 200
    assert worker_of(served) != first


def test_a_busy_store_sees_no_fault_of_a_script(served: Served) -> None:
    served.client.put("/v1/stores/s", json={"compressor": "deflate-iaa"}).raise_for_status()
    done = threading.Event()

    def scripts() -> None:
        for _ in range(20):
            assert run(served, FAILS_EVERYTHING).status_code == 200
        done.set()

    failing = threading.Thread(target=scripts)
    failing.start()
    stored = 0
    while not done.is_set():
        answer = served.client.put(f"/v1/stores/s/pages/{stored % 100}", content=PAGE, headers=OCTETS)
        assert answer.headers["swaplab-placed"] == "zswap"
        stored += 1
    failing.join()
    told = served.client.get("/v1/stores/s").json()
    assert told["stats"]["reject_compress_fail"] == 0
    assert stored > 0


def test_the_worker_ends_with_a_service_that_is_killed() -> None:
    with serving() as served:
        assert run(served, FAILS_EVERYTHING).status_code == 200
        worker = worker_of(served)
        served.kill()
        for _ in range(100):
            if (
                not Path(f"/proc/{worker}").exists()
                or "Z" in Path(f"/proc/{worker}/stat").read_text().split(")")[1][:3]
            ):
                return
            time.sleep(0.05)
        raise AssertionError("the worker lives on")
