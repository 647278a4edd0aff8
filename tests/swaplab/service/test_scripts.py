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

from .served import OCTETS, PAGE, Served, serving

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "scripts").glob("*.json"))
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
    for _ in range(200):
        answer = served.client.post("/v1/scripts", json=script)
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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gives_what_it_gives_on_the_command_line(served: Served, path: Path) -> None:
    script = json.loads(path.read_text())
    answer = run(served, script)
    assert answer.status_code == 200
    assert (False, answer.content) == answer_to(path.read_bytes())


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
