"""Attribution: every patch is asked three questions, those without effect answer with nothing, and shares add up."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.experiments.attribution import (
    Attribution,
    AttributionReport,
    PatchEffect,
    Plan,
    attribute,
    numbers,
    processes,
    up_to,
)
from swaplab.experiments.pictures.waterfall import draw
from swaplab.model.columns import BASE, V8
from swaplab.model.testbed import load_testbed
from tests.swaplab.simulated import simulated_once

# One simulation is for all of them, so all run in one worker of pytest-xdist.
pytestmark = [pytest.mark.xdist_group("attribution"), pytest.mark.slow]

TESTBED = load_testbed("spr-2s-8iaa")
INERT = {1, 2, 3, 6, 7, 10, 11, 12, 13}
"""Patches that change nothing that usemem could measure while 4, 5, 8, 9 and 14 are there or not."""


@pytest.fixture(scope="module")
def report() -> AttributionReport:
    with simulated_once():
        return attribute(Plan(TESTBED, Fraction(1, 16384), processes=(8, 1)))


def test_shares_are_of_the_whole_gain(report: AttributionReport) -> None:
    assert [attribution.processes for attribution in report.attributions] == [8, 1]
    for attribution in report.attributions:
        assert sum(effect.share for effect in attribution.patches) == pytest.approx(1, abs=0.001)
        assert [effect.patch for effect in attribution.patches] == list(range(1, 15))
        assert attribution.patches[-1].up_to_kbps == attribution.v8_kbps


def test_patches_without_effect_have_exactly_none(report: AttributionReport) -> None:
    for attribution in report.attributions:
        before = attribution.base_kbps
        for effect in attribution.patches:
            if effect.patch in INERT:
                assert effect.up_to_kbps == before
                assert effect.alone_kbps == attribution.base_kbps
            before = effect.up_to_kbps


def test_what_a_patch_takes_along_is_lost_with_it(report: AttributionReport) -> None:
    for attribution in report.attributions:
        effects = {effect.patch: effect for effect in attribution.patches}
        assert effects[13].takes == (14,)
        assert effects[13].without_kbps == effects[14].without_kbps == effects[13].up_to_kbps
        assert effects[8].takes == (9,)
        assert effects[9].brings == (8,)
        assert effects[14].without_kbps < attribution.v8_kbps


def test_batching_is_all_there_is_for_one_process(report: AttributionReport) -> None:
    alone = report.attributions[1]
    assert [effect.patch for effect in alone.carriers()] == [14]
    assert alone.sentence().startswith("1 process: the series makes +")
    assert "patch 14 (store in batches) 100%" in alone.sentence()


def test_it_reads_its_own_file(report: AttributionReport) -> None:
    assert AttributionReport.model_validate_json(report.to_json()) == report


def test_zstd_meets_none_of_the_drivers_patches() -> None:
    def sets(compressor: str) -> int:
        return len(Plan(TESTBED, Fraction(1, 64), (30,), compressor).requests())

    assert sets("zstd") < sets("deflate-iaa") < 2 + 3 * 14


def test_no_column_runs_twice() -> None:
    requests = Plan(TESTBED, Fraction(1, 64)).requests()
    assert len({(request.column.patches - {7}, request.processes) for request in requests}) == len(requests)


def made(base: float, *levels: float) -> Attribution:
    """An attribution of the first patches, which reach these levels."""
    effects = []
    before = base
    for patch, level in enumerate(levels, start=1):
        share = (level - before) / (levels[-1] - base) if levels[-1] != base else 0.0
        effects.append(
            PatchEffect(
                patch=patch,
                title="",
                brings=(),
                takes=(),
                alone_kbps=level,
                up_to_kbps=level,
                without_kbps=levels[-1] - (level - before),
                share=share,
            )
        )
        before = level
    return Attribution(processes=30, base_kbps=base, v8_kbps=levels[-1], patches=tuple(effects))


def test_a_sentence_names_shares_in_order_of_size_and_the_dearest_loss() -> None:
    assert made(100, 110, 110, 200).sentence() == (
        "30 processes: the series makes +100%; in its own order the shares are patch 3 (POLL flag) 90%, "
        "patch 1 (request chains) 10%. Left out of v8, patch 3 (POLL flag) costs most: -45%."
    )


def test_where_nothing_happens_nobody_is_credited() -> None:
    assert made(100, 100, 100).sentence() == (
        "30 processes: the series changes throughput by +0%, and no patch carries it."
    )


def test_lists_in_prose() -> None:
    assert [numbers([]), numbers([8]), numbers([8, 9]), numbers([8, 9, 14])] == ["", "8", "8 and 9", "8, 9 and 14"]
    assert [processes(1), processes(8, 1)] == ["1 process", "8 and 1 processes"]
    assert up_to(3) == {1, 2, 3} and up_to(14) == V8.patches and not BASE.patches


def test_the_command_prints_and_draws(tmp_path: Path) -> None:
    files = [tmp_path / "waterfall.PNG", tmp_path / "waterfall.svg"]
    args = ["ablate", "--scale", "1/16384", "--procs", "1", "--workers", "1"]
    with simulated_once():
        result = CliRunner().invoke(app, [*args, *(f"--plot={file}" for file in files)], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert "1 process: the series makes +" in result.output
    assert "8 with 9" in result.output
    assert re.search(r"^1 process: base 0\.\d\d GiB/s, v8 0\.\d\d GiB/s", result.output, re.MULTILINE)
    assert "KB/s" not in result.output
    assert files[0].read_bytes().startswith(b"\x89PNG") and files[0].stat().st_size > 10_000
    assert "<svg" in files[1].read_text()


def reported(report: AttributionReport, *attributions: Attribution) -> AttributionReport:
    return report.model_copy(update={"attributions": attributions})


def credited(attribution: Attribution, patch: int) -> Attribution:
    """The same with the whole gain given to one patch."""
    effects = [
        each.model_copy(update={"share": float(each.patch == patch), "up_to_kbps": attribution.v8_kbps})
        for each in attribution.patches
    ]
    return attribution.model_copy(update={"patches": tuple(effects)})


@pytest.mark.parametrize(("patch", "testbed", "said"), [(8, "own", True), (14, "own", False), (8, "other", False)])
def test_who_credits_patch_8_is_told_that_its_author_does_not(
    report: AttributionReport, patch: int, testbed: str, said: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = reported(report, credited(report.attributions[0], patch))
    monkeypatch.setattr("swaplab.cli.ablate.attribute", lambda *_: found)
    other = tmp_path / "other.json"
    other.write_text(TESTBED.model_copy(update={"platform": "many-nodes"}).to_json())
    args = ["ablate", "--testbed", TESTBED.name if testbed == "own" else str(other), "--scale", "1/8192"]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    facts = ("contradicts the series' author", "28 of 30 processes", "7.3 GiB/s", "refuted by", "--unpinned")
    assert [fact in shown for fact in facts] == [said] * len(facts)
    assert shown.endswith("docs/fidelity.md.") == said
    assert "KB/s" not in shown


def test_the_headline_of_the_usual_four_panels_is_one_line(
    report: AttributionReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    one = report.attributions[0]
    leaders = ((30, 8), (16, 9), (8, 14), (1, 14))
    four = [credited(one.model_copy(update={"processes": count}), patch) for count, patch in leaders]
    found = reported(report, *four)
    draw(found, tmp_path / "waterfall.png")
    assert found.finding() == "Most of the gain: patch 8 at 30 processes, 9 at 16, 14 at 8 and 1"
    assert figures[0].get_suptitle() == found.finding()


def test_all_panels_have_one_scale_on_which_every_base_is_as_high(
    report: AttributionReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    draw(report, tmp_path / "waterfall.png")
    panels = figures[0].get_axes()
    assert len(panels) == 2 and len({axes.get_ylim() for axes in panels}) == 1
    assert [axes.patches[0].get_height() for axes in panels] == [1.0, 1.0]  # type: ignore[attr-defined]
    top = panels[0].get_ylim()[1]
    assert all(max(each.up_to_kbps for each in one.patches) < top * one.base_kbps for one in report.attributions)


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_no_text_of_a_picture_is_cut_off(
    report: AttributionReport, panels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    attributions = (report.attributions * 2)[:panels]
    draw(report.model_copy(update={"attributions": attributions}), tmp_path / "waterfall.png")
    (figure,) = figures
    figure.draw_without_rendering()
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_text():
            extent = text.get_window_extent()
            assert extent.x0 >= 0 and extent.x1 <= figure.bbox.x1, text.get_text()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--plot", "picture.gif"], "Invalid value for '--plot': picture.gif: a picture ends in .png or .svg"),
        (["--plot", "no/where.png"], "there is no directory no"),
        (["--procs", "30,none"], "such as 8 or 1,8,16"),
        (["--procs", "0"], "such as 8 or 1,8,16"),
        (["--compressor", "lz4"], "Invalid value for '--compressor': 'lz4' is not modelled; there are deflate-iaa and"),
        (["--testbed", "mine"], "use spr-2s-8iaa"),
        (["--scale", "9"], "Invalid value for '--scale': 9 is not above 0 and up to 1; write 1/64"),
        (["--scale", "x"], "Invalid value for '--scale': 'x' is no fraction; write 1/64"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(args: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["ablate", *args], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output
