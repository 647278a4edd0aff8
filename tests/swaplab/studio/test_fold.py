"""The state at a step depends on the log alone: by steps or by fold, forth or back, for every script of the shelf."""

from collections.abc import Iterator
from typing import Any

import pytest

from swaplab.story.shelf import SHELF

from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

COMPARED = """async (name) => {
  const { History, after, fold, BEGINNING } = await import("/static/fold.js");
  const { stepsOf } = await import("/static/log.js");
  const view = await (await fetch(`/v1/views/${name}`)).json();
  const steps = stepsOf(view);
  const history = new History(view, steps);
  let stepped = BEGINNING;
  const wrong = [];
  for (let at = 0; at <= steps.length; at += 1) {
    if (at > 0) stepped = after(view, stepped, steps[at - 1]);
    const folded = JSON.stringify(fold(view, steps, at));
    if (folded !== JSON.stringify(stepped)) wrong.push(`stepped ${at}`);
    if (folded !== JSON.stringify(history.at(at))) wrong.push(`history ${at}`);
  }
  const backwards = new History(view, steps);
  for (let at = steps.length; at >= 0; at -= 1) {
    if (JSON.stringify(backwards.at(at)) !== JSON.stringify(history.at(at))) wrong.push(`back ${at}`);
  }
  return { wrong, over: stepped.over, count: steps.length, events: view.run.events.length };
}"""

WALKED = """async (name) => {
  const { namedView } = await import("/static/server.js");
  const view = document.querySelector("chain-view");
  await view.load(namedView(name), 0);
  const drawn = view.stage.firstChild;
  drawn.remove();  // nobody looks: it need not be laid out at every step
  const forth = [];
  for (let at = 0; at <= view.steps.length; at += 1) {
    view.transport.show(at, false);
    forth.push(drawn.outerHTML);
  }
  const wrong = [];
  for (let at = view.steps.length - 1; at >= 0; at -= 1) {
    view.transport.show(at, false);
    if (drawn.outerHTML !== forth[at]) wrong.push(at);
  }
  return wrong;
}"""


@pytest.fixture
def at_chain(chain_page: Screen) -> Iterator[Screen]:
    """These tests load what they look at."""
    yield chain_page
    chain_page.hold()


@pytest.mark.parametrize("name", SHELF)
def test_the_state_by_steps_is_the_state_by_fold(at_chain: Screen, name: str) -> None:
    found: dict[str, Any] = at_chain.page.evaluate(COMPARED, name)
    assert found["wrong"] == []
    assert found["over"]
    assert found["count"] > found["events"] > 0


@pytest.mark.parametrize("name", SHELF)
def test_back_and_forth_are_inverse(at_chain: Screen, name: str) -> None:
    assert at_chain.page.evaluate(WALKED, name) == []
