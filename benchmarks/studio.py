"""`python -m benchmarks.studio`: what the studio's pages cost in a browser, Debian's chromium (extra `browser`).

The first picture of /chain is measured beside a page of the same server that has nothing in it, in turns, each in a
browser without a cache. A task of 50 ms or more is what a browser itself calls long.
"""

import argparse
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import sync_playwright

from swaplab.studio.assets import assets

from .report import table
from .rows import Row
from .serving import SERVE, row, serving

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
EMPTY = "/healthz"
"""A page without anything: the browser shows its bytes as a text."""
PICTURE_MS = """() => new Promise((resolve) => {
  const look = () => {
    const [mark] = performance.getEntriesByName("picture");
    if (mark) resolve(mark.startTime); else requestAnimationFrame(look);
  };
  look();
})"""
LOADED_MS = """() => new Promise((resolve) => {
  const look = () => {
    const [entry] = performance.getEntriesByType("navigation");
    if (entry.loadEventEnd) resolve(entry.loadEventEnd); else requestAnimationFrame(look);
  };
  look();
})"""
PLAYED_MS = """() => new Promise((resolve) => {
  const view = document.querySelector("chain-view");
  const long = [];
  const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration)));
  view.transport.go(0);
  requestAnimationFrame(() => {
    observer.observe({ type: "longtask" });
    view.addEventListener("stepped", ({ detail }) => {
      if (detail.over) setTimeout(() => resolve(long), 500);
    });
    view.transport.toggle();
  });
})"""


def shown_ms(browser: Any, url: str, measure: str) -> float:
    """From the start of the navigation to what is measured, in a context of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    taken = float(page.evaluate(measure))
    context.close()
    return taken


def picture_row(browser: Any, url: str, rounds: int) -> Row:
    """The first complete picture of /chain, of an empty page."""
    values, limits = [], []
    for number in range(-1, rounds):  # the first does not count: it makes the view
        limit = shown_ms(browser, url + EMPTY, LOADED_MS)
        value = shown_ms(browser, url + "/chain", PICTURE_MS)
        if number >= 0:
            values.append(value)
            limits.append(limit)
    return row("studio: first picture of /chain, of an empty page", values, limits, "ms", 3.0, 2.0)


def play_row(browser: Any, url: str) -> Row:
    """Long tasks while eight requests are played to the end, things moving."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference").new_page()
    page.goto(url + "/chain")
    page.evaluate(PICTURE_MS)
    long = page.evaluate(PLAYED_MS)
    spread = (min(long), max(long)) if long else ()
    name = "studio: tasks of 50 ms or more in a play of 8 requests (spread: ms)"
    return Row(name, len(long), "", None, None, 0.0, 0.0, "value", "lower", spread)


def size_row() -> Row:
    """All files, uncompressed."""
    size = sum(len(asset.body) for asset in assets().values()) / 1024
    return Row("studio: all files, uncompressed", size, "KiB", None, None, 150.0, 120.0, "value", "lower")


def rows(rounds: int) -> Iterator[Row]:
    """All of them."""
    with serving(*SERVE) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        url = f"http://127.0.0.1:{server.port}"
        yield picture_row(browser, url, rounds)
        yield play_row(browser, url)
        browser.close()
    yield size_row()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studio", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    print(table(list(rows(parser.parse_args().rounds))))


if __name__ == "__main__":
    main()
