"""The docs say what the code does, where they can be checked."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_state_diagrams_and_the_contract_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("states", DOCS / "states.py")
    assert spec is not None
    assert spec.loader is not None
    states = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(states)
    text = (DOCS / "acomp.md").read_text()
    assert "idle --> in_flight: submit" in text
    assert "\n7. -ECANCELED is never" in text
    assert states.drawn(text) == text, "run python docs/states.py"
