"""The picture of a chain: what it says of the events, and that it fits."""

import re
from collections import defaultdict
from functools import cache

import pytest

from swaplab.story.picture import draw
from swaplab.story.pipeline import LEGEND, NARROWEST, Line
from swaplab.story.recording import Recording, Result, Step
from swaplab.story.story import Story, run_story

WIDE = 10_000
recorded = cache(run_story)  # a story is the same every time
STORIES = [
    Story(),
    Story(pages=1),
    Story(pages=1, fail=0),
    Story(pages=8, fail=0, devices=0),
    Story(pages=12, fail=3, incompressible=2),
    Story(pages=12, sync_mode="sync", fail=2),
    Story(pages=17, sync_mode="async_irq", incompressible=16),
    Story(pages=24, devices=1, wqs=8),
    Story(pages=64, devices=8),
    Story(pages=64, devices=1, wqs=1, sync_mode="sync"),
]
every_story = pytest.mark.parametrize("story", STORIES, ids=str)
every_width = pytest.mark.parametrize("width", [NARROWEST, 60, 70, 80, 120, WIDE])


def bands_of(picture: list[Line]) -> list[dict[str, str]]:
    """Label and cells of the rows of each band."""
    bands: list[dict[str, str]] = []
    for line in picture:
        if line.label.strip() == "event":
            bands.append({})
        if line.cells:
            bands[-1][line.label.strip()] = line.cells
    return bands


def widths_of(bands: list[dict[str, str]]) -> list[int]:
    return [max(map(len, band.values())) for band in bands]


def rows_of(picture: list[Line]) -> dict[str, str]:
    """The cells of every row, its bands put together again."""
    bands = bands_of(picture)
    rows: defaultdict[str, str] = defaultdict(str)
    for number, width in enumerate(widths_of(bands)):
        for label in {label for band in bands for label in band}:
            rows[label] += bands[number].get(label, " " * width)
    return {label: row.rstrip() for label, row in rows.items()}


def text_of(picture: list[Line]) -> str:
    return "\n".join(map(str, picture))


@every_width
@every_story
def test_every_picture_fits(story: Story, width: int) -> None:
    assert max(len(str(line)) for line in draw(recorded(story), width)) <= width


def test_less_than_the_least_width_is_the_least_width() -> None:
    recording = recorded(Story())
    assert draw(recording, 1) == draw(recording, NARROWEST)


@every_width
@every_story
def test_a_folded_picture_says_what_an_endless_one_says(story: Story, width: int) -> None:
    recording = recorded(story)
    wide, folded = draw(recording, WIDE), draw(recording, width)
    assert rows_of(folded) == rows_of(wide)
    ends = sorted((line.label, line.end) for line in wide if line.cells and line.end)
    assert sorted((line.label, line.end) for line in folded if line.cells and line.end) == ends
    assert len(ends) == story.pages


@every_width
def test_every_band_has_an_axis_that_counts_its_events(width: int) -> None:
    at = 0
    picture = draw(recorded(Story(pages=24)), width)
    axes = [line for line in picture if line.label.strip() == "event"]
    for axis, columns in zip(axes, widths_of(bands_of(picture)), strict=True):
        assert [(int(tick[0]), tick.start()) for tick in re.finditer(r"\d+", axis.end)] == [
            (at + column, column) for column in range(0, columns, 10)
        ]
        at += columns


def phases_of(picture: list[Line]) -> dict[str, int]:
    """The named phases, each with the event over which it was named first."""
    widths = widths_of(bands_of(picture))
    named: dict[str, int] = {}
    headings: list[str] = []
    first = 0
    for line in picture:
        if line.label.strip() in ("phase", "") and line.end:
            headings.append(line.end)
        if line.label.strip() == "event":
            for name in (name for heading in headings for name in re.finditer(r"\S+( \d+)?", heading)):
                named.setdefault(name[0], first + name.start())
            headings, first = [], first + widths.pop(0)
    return dict(sorted(named.items(), key=lambda item: item[1]))


@every_width
def test_every_phase_is_named_where_it_begins(width: int) -> None:
    """Also one of a single event, and the last one, however near to the edge it begins."""
    for pages in range(1, 17):
        picture = draw(recorded(Story(pages=pages)), width)
        rows = rows_of(picture).values()
        assert phases_of(picture) == {
            "submits": 0,
            "round 1": min(row.index("o") for row in rows),
            "landings": min(row.index("L") for row in rows),
            "round 2": min(row.index("P") for row in rows),
        }


@every_width
@every_story
def test_the_legend_explains_the_letters_that_occur_and_no_others(story: Story, width: int) -> None:
    picture = draw(recorded(story), width)
    text = text_of(picture)
    drawn = {letter for line in picture for letter in line.cells} - {" "}
    assert {letter for letter, words in LEGEND.items() if f"{letter} {words}" in text} == drawn


def test_the_words_explain_the_overlap_and_count_in_the_singular() -> None:
    text = text_of(draw(recorded(Story())))
    assert "8 submits, 2 rounds of polling\noverlap 5.0: jobs in the devices at a time" in text
    assert "Columns are events, in order: time, but not to scale." in text
    text = text_of(draw(recorded(Story(fail=0))))
    assert "parallel: submit all, then poll. 1 submit, 0 rounds" in text
    assert "8 failed, 7 of them never submitted" in " ".join(text.split())
    assert "polling" not in text_of(draw(recorded(Story(sync_mode="sync"))))


def test_failures_stand_at_their_rows() -> None:
    picture = draw(recorded(Story(fail=3, incompressible=2)))
    refused, incompressible = ([line for line in picture if line.label.startswith(f"   {n} ")][-1] for n in (3, 2))
    assert refused.cells.strip() == "Sx" and refused.end == "  -EIO"
    assert "L" in incompressible.cells and "x" in incompressible.cells and incompressible.end == "  -E2BIG"


def test_a_picture_needs_nothing_but_the_events() -> None:
    """A recording of anything, such as one whose queue was full and that software did."""
    steps = [
        Step(kind="submit", request=0),
        Step(kind="iaa.retry", request=0),
        Step(kind="iaa.fallback", request=0),
        Step(kind="unknown to the picture", request=0),
        Step(kind="complete", request=0, fields={"err": 0}),
    ]
    recording = Recording(version="1", parallel=False, code=0, results=[Result(err=0, length_bytes=7)], steps=steps)
    text = text_of(draw(recording))
    assert "\nhead    SRFP  7 bytes\n" in f"\n{text}\n"
    assert "R queue full, tried again   F left to software" in text
