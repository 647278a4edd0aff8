"""The finding that docs/stress.md shows is the one that its example prints."""

from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_shows_what_the_example_prints() -> None:
    printed = (ROOT / "examples/06_stress_a_pool.out").read_text().splitlines()
    finding = printed[: next(number for number, line in enumerate(printed) if line.startswith("replay:"))]
    assert "\n".join(f"    {line}" for line in finding) in (ROOT / "docs/stress.md").read_text()
