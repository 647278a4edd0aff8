"""Scales: one rule says whether figures are coarse, and every command that scales a workload down says it."""

from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.experiments.scales import in_a_title, is_coarse, sentence


@pytest.mark.parametrize(
    ("folios", "enough"), [(["4K"], "1/256"), (["64K"], "1/256"), (["2M"], "1/32"), (["64K", "2M", "4K"], "1/32")]
)
def test_the_largest_folio_decides(folios: list[str], enough: str) -> None:
    scale = Fraction(enough)
    assert not is_coarse("usemem", folios, scale)
    assert is_coarse("usemem", folios, scale * Fraction(99, 100))
    assert sentence("usemem", folios, scale).startswith(f"Scale {enough} is not coarse: ")
    coarse = sentence("usemem", folios, Fraction(1, 4096))
    assert coarse.startswith("Scale 1/4096 is coarse: compare these figures only with each other; ")
    assert coarse.endswith(f" take {enough} or larger.")
    assert in_a_title("usemem", folios, scale) == f"scale {enough}"
    assert in_a_title("usemem", folios, Fraction(1, 4096)) == "scale 1/4096 (coarse)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "workload", "scale"),
    [
        (["usemem", "--columns", "v8", "--procs", "1", "--scale", "1/8192"], "usemem", "1/8192"),
        (["usemem", "--columns", "v8", "--procs", "1", "--scale", "1/256"], "usemem", "1/256"),
        (["ablate", "--procs", "1", "--workers", "1", "--scale", "1/8192"], "usemem", "1/8192"),
        (["sweep", "--grid", "procs=1", "--workers", "1", "--scale", "1/8192", "--out", "OUT"], "usemem", "1/8192"),
        (["kernbench", "--columns", "base", "--scale", "1/65536", "--threads", "2"], "kernbench", "1/65536"),
    ],
    ids=["usemem", "usemem enough", "ablate", "sweep", "kernbench"],
)
def test_each_command_says_so_and_no_scale_is_broken_at_its_slash(
    args: list[str], workload: str, scale: str, tmp_path: Path
) -> None:
    args = [str(tmp_path) if arg == "OUT" else arg for arg in args]
    shown = CliRunner().invoke(app, args, env={"COLUMNS": "80"}).output
    assert sentence(workload, ["64K"], Fraction(scale)) in " ".join(shown.split())  # type: ignore[arg-type]
    prose = [line for line in shown.splitlines() if "Scale " in line or "larger" in line]
    assert prose and all(len(line) <= 80 for line in prose)
