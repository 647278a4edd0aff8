"""What the service says of itself: lines of JSON, with the cause, and nothing that somebody has sent."""

from pathlib import Path

from .served import OCTETS, serving

BROKEN = """
from swaplab.service.stores import Store
async def get(self, slot):
    raise RuntimeError("a fault of ours")
Store.get = get
from swaplab.cli import main
main()
"""


def test_a_fault_of_ours_is_told_with_its_route_and_without_what_was_sent(tmp_path: Path) -> None:
    with serving("--state", str(tmp_path / "state"), program=BROKEN) as served:
        served.client.put("/v1/stores/secretname", json={}).raise_for_status()
        served.client.put("/v1/caches/c", json={}).raise_for_status()
        served.client.put("/v1/caches/c/secretkey", content=b"secretvalue", headers=OCTETS).raise_for_status()
        answer = served.client.get("/v1/stores/secretname/pages/77", headers={"connection": "close"})
        assert (answer.status_code, answer.json()["title"]) == (500, "the service failed: RuntimeError")
        assert served.client.get("/healthz").status_code == 200
        assert served.terminate() == 0
        said = served.log
    assert [line["event"] for line in said] == ["serving", "failed", "stopping", "stopped"]
    failed = said[1]
    assert (failed["level"], failed["method"]) == ("error", "GET")
    assert failed["route"] == "/v1/stores/{name}/pages/{slot}"
    assert "a fault of ours" in failed["traceback"]
    assert "secret" not in str(said)
