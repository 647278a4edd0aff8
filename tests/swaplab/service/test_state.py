"""`--state`: what was acknowledged is there after any end; what the disk has lost is missing, and told."""

import json
import random
import threading
from pathlib import Path

import httpx
import pytest

from .served import FULL, OCTETS, REWRITING, Served, refused, serving


def page(seed: int) -> bytes:
    return random.Random(seed).randbytes(64) * 64


def test_stores_and_caches_are_there_again_after_sigterm(tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = {"compressor": "deflate-iaa", "max_pool_bytes": 1 << 22, "size_pages": 1000}
    with serving("--state", str(state)) as served:
        client = served.client
        client.put("/v1/stores/s", json=settings).raise_for_status()
        client.put("/v1/stores/gone", json={}).raise_for_status()
        client.delete("/v1/stores/gone").raise_for_status()
        client.put("/v1/caches/c", json={"max_bytes": 1 << 22}).raise_for_status()
        client.put("/v1/stores/s/folios/10", content=page(1) + page(2), headers=OCTETS).raise_for_status()
        client.put("/v1/stores/s/pages/10", content=page(3), headers=OCTETS).raise_for_status()
        client.put("/v1/stores/s/pages/20", content=bytes(4096), headers=OCTETS).raise_for_status()
        client.put("/v1/stores/s/pages/30", content=page(4), headers=OCTETS).raise_for_status()
        client.delete("/v1/stores/s/pages/30").raise_for_status()
        client.put("/v1/caches/c/k%2F1", content=b"value", headers=OCTETS).raise_for_status()
        client.put("/v1/caches/c/short?ttl_s=0.01", content=b"value", headers=OCTETS).raise_for_status()
        assert served.terminate() == 0
    assert state.stat().st_mode & 0o777 == 0o700
    meta = json.loads((state / "stores" / "s" / "meta.json").read_text())
    assert meta == {"schema": "swaplab.state/1", "settings": settings}
    with serving("--state", str(state)) as served:
        client = served.client
        assert client.get("/v1/stores").json()["names"] == ["s"]
        assert client.get("/v1/stores/s").json()["settings"] == settings
        assert client.get("/v1/stores/s/pages/10").content == page(3)
        assert client.get("/v1/stores/s/pages/11").content == page(2)
        assert client.get("/v1/stores/s/pages/20").content == bytes(4096)
        assert client.get("/v1/stores/s/pages/30").status_code == 404
        assert client.get("/v1/caches/c/k/1").content == b"value"
        assert client.get("/v1/caches/c/short").status_code == 404
        assert client.get("/readyz").json() == {"status": "ok", "damaged": {}}


@pytest.mark.parametrize("sync", ["1s", "always"])
def test_every_acknowledged_page_survives_kill(tmp_path: Path, sync: str) -> None:
    """Several clients write; the process is killed in the middle, again and again."""
    acknowledged: dict[int, set[int | None]] = {}
    seeds = iter(range(1_000_000))
    for turn in range(3):
        with serving("--state", str(tmp_path / "state"), "--sync", sync) as served:
            served.client.put("/v1/stores/s", json={"size_pages": 64}).raise_for_status()
            _check(served, acknowledged)
            writers = [
                threading.Thread(target=_write, args=(served, range(slot, 64, 4), seeds, acknowledged, turn))
                for slot in range(4)
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join(0.25)
            served.kill()
            for writer in writers:
                writer.join()
    with serving("--state", str(tmp_path / "state")) as served:
        _check(served, acknowledged)
        assert acknowledged


def _write(served: Served, slots: range, seeds: "object", acknowledged: dict[int, set[int | None]], turn: int) -> None:
    """Until the server is gone. Each slot has one writer; what it may hold is the last acknowledged, or one after."""
    draw = random.Random(slots.start + turn)
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        try:
            while True:
                slot, seed = draw.choice(slots), next(seeds)  # type: ignore[call-overload]
                wanted = None if draw.random() < 0.2 else seed
                acknowledged.setdefault(slot, {None}).add(wanted)
                path = f"/v1/stores/s/pages/{slot}"
                if wanted is None:
                    client.delete(path)
                else:
                    client.put(path, content=page(seed), headers=OCTETS).raise_for_status()
                acknowledged[slot] = {wanted}
        except httpx.TransportError:
            return


def _check(served: Served, acknowledged: dict[int, set[int | None]]) -> None:
    for slot, possible in acknowledged.items():
        answer = served.client.get(f"/v1/stores/s/pages/{slot}")
        found = None if answer.status_code == 404 else answer.content
        assert found in [None if seed is None else page(seed) for seed in possible], slot
        acknowledged[slot] = {seed for seed in possible if found == (None if seed is None else page(seed))}


def test_a_log_is_rewritten_while_the_service_goes_on(tmp_path: Path) -> None:
    """Pages and values are written over and over, until the third log of each is there; then the process is killed."""
    rooms = {"stores/s": "pages/", "caches/c": ""}
    last: dict[str, int] = {}
    with serving("--state", str(tmp_path / "state"), program=REWRITING) as served:
        for room in rooms:
            served.client.put(f"/v1/{room}", json={}).raise_for_status()
            served.client.put(f"/v1/{room}/{rooms[room]}99", content=page(99), headers=OCTETS).raise_for_status()
            for seed in range(5000):
                path = f"/v1/{room}/{rooms[room]}{seed % 8}"
                served.client.put(path, content=page(seed), headers=OCTETS).raise_for_status()
                last[path] = seed
                if (tmp_path / "state" / room / "3.log").exists():
                    break
            else:
                raise AssertionError("it was never rewritten")
        served.kill()
    with serving("--state", str(tmp_path / "state")) as served:
        assert served.client.get("/readyz").json() == {"status": "ok", "damaged": {}}
        for path, seed in last.items():
            assert served.client.get(path).content == page(seed), path
        for room, pages in rooms.items():
            assert served.client.get(f"/v1/{room}/{pages}99").content == page(99), "live all the time"
            assert len([*(tmp_path / "state" / room).glob("*.log*")]) == 1


def test_a_burst_is_finished_at_sigterm(tmp_path: Path) -> None:
    with serving("--state", str(tmp_path / "state")) as served:
        served.client.put("/v1/stores/s", json={}).raise_for_status()
        acknowledged: dict[int, set[int | None]] = {}
        seeds = iter(range(1_000_000))
        writers = [
            threading.Thread(target=_write, args=(served, range(slot, 64, 4), seeds, acknowledged, 0))
            for slot in range(4)
        ]
        for writer in writers:
            writer.start()
        writers[0].join(0.3)
        assert served.terminate() == 0
        for writer in writers:
            writer.join()
    with serving("--state", str(tmp_path / "state")) as served:
        _check(served, acknowledged)
        assert served.client.get("/readyz").json()["status"] == "ok"


def test_a_damaged_value_is_missing_and_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving("--state", str(state)) as served:
        served.client.put("/v1/stores/s", json={}).raise_for_status()
        for slot in range(3):
            served.client.put(f"/v1/stores/s/pages/{slot}", content=page(slot), headers=OCTETS).raise_for_status()
        assert served.terminate() == 0
    log = state / "stores" / "s" / "1.log"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with serving("--state", str(state)) as served:
        found = [served.client.get(f"/v1/stores/s/pages/{slot}").status_code for slot in range(3)]
        assert found == [200, 404, 200]
        assert served.client.get("/readyz").json() == {"status": "damaged", "damaged": {"stores/s": 1}}
        assert served.client.get("/v1/stores/s").json()["opened"] == {"cut_bytes": 0, "damaged": 1}
        assert served.terminate() == 0
        said = served.log
        assert [line["event"] for line in said] == ["damaged", "serving", "stopping", "stopped"]
        assert (said[0]["level"], said[0]["name"], said[0]["damaged"]) == ("warning", "s", 1)


class TestTheDirectory:
    def test_is_one_servers(self, tmp_path: Path) -> None:
        with serving("--state", str(tmp_path / "state")):
            assert "another server uses the directory" in refused("--port", "0", "--state", str(tmp_path / "state"))

    def test_is_no_link_and_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        (tmp_path / "file").touch()
        for name in ("link", "file"):
            assert name in refused("--port", "0", "--state", str(tmp_path / name))
        assert list((tmp_path / "real").iterdir()) == []

    def test_of_another_version_is_not_touched(self, tmp_path: Path) -> None:
        folder = tmp_path / "state" / "stores" / "s"
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text('{"schema": "swaplab.state/2", "settings": {}}')
        assert "swaplab.state/1" in refused("--port", "0", "--state", str(tmp_path / "state"))
        assert [path.name for path in folder.iterdir()] == ["meta.json"]

    def test_with_settings_that_are_unknown_is_refused_by_name(self, tmp_path: Path) -> None:
        folder = tmp_path / "state" / "caches" / "c"
        folder.mkdir(parents=True)
        text = json.dumps({"schema": "swaplab.state/1", "settings": {"compressor": "zstdd"}})
        (folder / "meta.json").write_text(text)
        said = refused("--port", "0", "--state", str(tmp_path / "state"))
        assert "meta.json" in said
        assert "zstdd" in said


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    state, draw = str(tmp_path / "state"), random.Random(1)
    kept: dict[int, bytes] = {}
    refusals = 0
    with serving("--state", state, program=FULL) as served:
        served.client.put("/v1/stores/s", json={"size_pages": 20}).raise_for_status()
        for slot in [*range(20), *range(20)]:
            data = draw.randbytes(4096)
            answer = served.client.put(f"/v1/stores/s/pages/{slot}", content=data, headers=OCTETS)
            if answer.status_code == 204:
                kept[slot] = data
            else:
                refusals += 1
                assert (answer.status_code, "File too large" in answer.json()["title"]) == (507, True)
        assert len(kept) == 20
        assert refusals > 10
        assert served.client.delete("/v1/stores/s/pages/0").status_code == 204, "a small record has room"
        assert served.terminate() == 0
    with serving("--state", state) as served:
        assert served.client.get("/v1/stores/s/pages/0").status_code == 404
        for slot in range(1, 20):
            assert served.client.get(f"/v1/stores/s/pages/{slot}").content == kept[slot], slot
        assert served.client.get("/readyz").json()["status"] == "ok"


def test_a_link_in_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving("--state", str(state)) as served:
        served.client.put("/v1/stores/s", json={}).raise_for_status()
        assert served.terminate() == 0
    log = state / "stores" / "s" / "1.log"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to(tmp_path / "elsewhere")
    assert "1.log" in refused("--port", "0", "--state", str(state))
