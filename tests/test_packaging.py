"""What pip installs: whole, and without extras nothing of the laboratory's libraries."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
EMBEDDED = ["acomp", "iaa_emulator", "zswap"]

# pip may have to fetch the dependencies first. One wheel is for all of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("packaging")]


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that must succeed; what it said otherwise is the failure's message."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def distribution_name(requirement: str) -> str:
    """The name in ``requirement``, normalised, so that spellings compare."""
    match = re.match(r"[\w.-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def built(out: Path, *options: str) -> Path:
    """The wheel of this tree; with no option it is made from the source distribution, which is made first."""
    run(sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", out, ROOT, cwd=out)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("dist"), "--wheel")


@pytest.fixture(scope="module")
def wheel_of_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("dist-of-sdist"))


@pytest.fixture(scope="module")
def embedder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel without extras, and nothing else."""
    home = tmp_path_factory.mktemp("embedder")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    python = home / "venv/bin/python"
    # Another environment's pip, so that not even pip is in this one.
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", wheel, cwd=home)
    run(*pip, "check", cwd=home)
    return python


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path, wheel_of_sdist: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for made in (wheel, wheel_of_sdist):
        held = {name for name in zipfile.ZipFile(made).namelist() if ".dist-info/" not in name}
        assert held == files
    assert "swaplab/story/examples/01_chain.json" in held
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_lower_packages_work_without_extras(embedder: Path) -> None:
    # -I: neither the working directory nor the user's site may help out.
    found = run(
        *(embedder, "-I", "-c"),
        f"import {', '.join(EMBEDDED)}; print(*(m.__file__ for m in ({', '.join(EMBEDDED)})), sep='\\n')",
        cwd=embedder.parent,
    ).splitlines()
    assert len(found) == len(EMBEDDED)
    assert all(Path(file).is_relative_to(embedder.parents[1]) for file in found)


def test_virtual_time_works_without_extras(embedder: Path) -> None:
    program = "import asyncio; from swaplab import sim; print(sim.run(asyncio.sleep(3600, 'an hour')))"
    assert run(embedder, "-I", "-c", program, cwd=embedder.parent) == "an hour\n"


def test_the_command_names_the_extra_that_it_needs(embedder: Path) -> None:
    command = [str(embedder), "-I", "-m", "swaplab", "chain"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1 and "pip install 'swaplab[lab]'" in ran.stderr


def test_no_library_of_the_laboratory_comes_along(wheel: Path, embedder: Path) -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    optional = {distribution_name(word) for words in extras.values() for word in words} - {"swaplab"}
    assert {"rich", "typer", "uvloop"} <= optional
    (site,) = embedder.parents[1].glob("lib/python*/site-packages")
    installed = {distribution_name(found.name) for found in metadata.distributions(path=[str(site)])}
    assert {"swaplab", "pydantic", "zstandard"} <= installed
    assert not installed & optional
    assert not installed & {"click", "pip", "setuptools"}


def test_the_metadata_pins_every_requirement_on_both_sides(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode())
    wanted = [line for line in headers.get_all("Requires-Dist", []) if distribution_name(line) != "swaplab"]
    assert wanted
    assert not [line for line in wanted if ">=" not in line or "<" not in line]
