"""The public surface is what ``__all__`` says, and the import contracts of ``pyproject.toml`` can be broken."""

import __future__

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LOWER = ["acomp", "iaa_emulator", "zswap"]
PACKAGES = [*LOWER, "swaplab"]


@pytest.fixture(params=LOWER)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def bound_publicly(package: ModuleType) -> set[str]:
    """Public names bound in a package, but for its submodules, which importing one binds without being asked."""
    return {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType | __future__._Feature)
    }


def own_docstring(name: str, value: object) -> str:
    """The docstring somebody wrote: not the signature that ``dataclass`` puts in place of a missing one."""
    written = vars(value).get("__doc__") if isinstance(value, type) else getattr(value, "__doc__", None)
    return "" if not written or written.startswith(f"{name}(") else str(written).strip()


def test_all_is_what_the_package_offers(package: ModuleType) -> None:
    listed: list[str] = package.__all__
    assert len(listed) == len(set(listed))
    assert not [name for name in listed if not hasattr(package, name)]
    assert {name for name in listed if not isinstance(getattr(package, name), ModuleType)} == bound_publicly(package)


def test_every_public_name_is_documented(package: ModuleType) -> None:
    assert own_docstring(package.__name__, package)
    # A constant has no docstring of its own: its type's would be found.
    documentable = {
        name: value
        for name in package.__all__
        if inspect.isclass(value := getattr(package, name)) or inspect.isroutine(value) or inspect.ismodule(value)
    }
    assert not [name for name, value in documentable.items() if not own_docstring(name, value)]


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts over the packages in ``tree``."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """The modules of the four packages, all empty, under this project's contracts."""
    for module in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        empty = tmp_path / module.relative_to(ROOT)
        empty.parent.mkdir(parents=True, exist_ok=True)
        empty.touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_the_allowed_directions_keep_the_contracts(bare_tree: Path) -> None:
    (bare_tree / "zswap/__init__.py").write_text("import acomp\n")
    (bare_tree / "iaa_emulator/__init__.py").write_text("import acomp\nimport pydantic\n")
    (bare_tree / "swaplab/__init__.py").write_text("import acomp, iaa_emulator, zswap, uvloop\n")
    done = lint_imports(bare_tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("acomp", "iaa_emulator"),
        ("acomp", "zswap"),
        ("iaa_emulator", "zswap"),
        ("zswap", "iaa_emulator"),
        *((package, "swaplab") for package in LOWER),
        *((package, "uvloop") for package in LOWER),
        ("zswap", "rich"),
        ("iaa_emulator", "typer"),
    ],
)
def test_a_wrong_direction_breaks_a_contract(bare_tree: Path, importer: str, imported: str) -> None:
    (bare_tree / importer / "leak.py").write_text(f"def late() -> None:\n    import {imported}\n")
    done = lint_imports(bare_tree)
    assert done.returncode == 1
    assert f"{importer}.leak -> {imported}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("acomp.cpu", "acomp.request"),
        ("acomp.request", "acomp.runners.run"),
        ("acomp.runners", "acomp.threads"),
        ("iaa_emulator.hardware", "iaa_emulator.driver.statistics"),
        ("iaa_emulator.driver", "iaa_emulator.platform"),
        ("zswap.pool", "zswap.inventory.lru"),
        ("zswap.inventory", "zswap.paths.store"),
        ("zswap.paths", "zswap.swap.swap"),
        ("swaplab.sim", "acomp.cpu"),
        ("swaplab.model", "swaplab.workloads.usemem"),
        ("swaplab.experiments", "swaplab.realbytes.inputs"),
        ("swaplab.workloads", "swaplab.experiments.grid"),
    ],
)
def test_an_inner_floor_does_not_reach_up(bare_tree: Path, importer: str, imported: str) -> None:
    path = bare_tree / importer.replace(".", "/")
    module = path / "leak.py" if path.is_dir() else path.with_suffix(".py")
    module.write_text(f"def late() -> None:\n    import {imported}\n")
    done = lint_imports(bare_tree)
    assert done.returncode == 1
    assert imported in done.stdout, done.stdout + done.stderr
