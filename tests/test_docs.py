"""The docs say what the code does, where they can be checked, and nothing refers to what is not in the repository."""

import importlib.util
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from swaplab.cli.commands import app
from swaplab.model.testbed import load_testbed
from swaplab.story.calls import CALLS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
PLACES = ("acomp", "iaa_emulator", "zswap", "swaplab", "tests", "examples", "benchmarks", "docs", ".ci")

DOCUMENT = re.compile(r"(?<![\w./-])([\w./-]*\w\.md)\b(?:#([\w-]*\w))?")
IN_FILE = re.compile(r"\((`\w+`(?:(?:, | and )`\w+`)*) in\s+`([\w/]+\.py)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
COMMAND = re.compile(r"^    (?:\.venv/bin/)?swaplab ([a-z][^#\n]*)", re.MULTILINE)
SCRIPT = re.compile(r"\bpython ((?:docs|examples)/\w+\.py)")
DOTTED = re.compile(r"`((?:acomp|iaa_emulator|zswap|swaplab)(?:\.\w+)+)(?![\w/.])")
CODE_PATH = re.compile(r"`((?:acomp|iaa_emulator|zswap|swaplab|tests)/[\w/.-]*)`")
INVARIANT = re.compile(r"\bI([0-9]{1,2})\b")
WORKSHOP = re.compile(
    r"kernel-facts|fact sheet|\bfacts [0-9]|invariant I[0-9]|\b[Rr]oom [0-9]|[0-9]+\.[0-9]+ step [0-9]"
    r"|Source: (?:section )?[0-9]|Source: zswap_\w+, [0-9]"
)
CHAPTER = re.compile(
    r'[ "]\([0-9]{1,2}\.[0-9]{1,2}(?:, last paragraph)?\)|"""[0-9]+\.[0-9]+[:, ]|\([A-D][0-9]{1,2}\)|\bQ[1-9]\b'
)


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of the repository in which somebody may be referred to something, but for this one."""
    found = [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    for place in PLACES:
        found += [path for path in (ROOT / place).rglob("*") if path.suffix in {".py", ".md", ".toml", ".yml", ".sh"}]
    for path in found:
        if path != Path(__file__):
            yield path, path.read_text()


def anchors(document: Path) -> set[str]:
    """What can stand behind the # of a link to it: its headings in small letters, a dash for each space."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dangling(path: Path, text: str) -> list[str]:
    """What `text`, which stands in `path`, refers to without there being such a document or heading."""
    wrong = []
    for name, anchor in DOCUMENT.findall(text):
        document = next((base / name for base in (path.parent, ROOT, DOCS) if (base / name).is_file()), None)
        if document is None or (anchor and anchor not in anchors(document)):
            wrong.append(f"{name}#{anchor}" if anchor else name)
    return wrong


def docs_module(name: str) -> ModuleType:
    """A script that stands in docs/."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_15_what_a_folio_costs_in_each_generation_is_counted() -> None:
    generations = docs_module("generations")
    text = (DOCS / "generations.md").read_text()
    assert "| jobs of the device | 16 | 16 |" in text
    assert generations.drawn(text) == text, "run docs/generations.py"


def test_what_departs_from_what_was_posted_has_its_test() -> None:
    names = re.findall(r"\| `(test_\w+)` \|$", (DOCS / "generations.md").read_text(), re.MULTILINE)
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(names) > 10
    assert [name for name in names if f"def {name}(" not in tests] == []


def test_state_diagrams_and_the_contract_are_those_of_the_code() -> None:
    states = docs_module("states")
    text = (DOCS / "acomp.md").read_text()
    assert "idle --> in_flight: submit" in text
    assert "\n7. -ECANCELED is never" in text
    assert states.drawn(text) == text, "run python docs/states.py"


def test_the_errors_are_those_of_the_table() -> None:
    errors = docs_module("errors")
    text = (DOCS / "errors.md").read_text()
    assert "| `-EAGAIN` | no descriptor" in text
    assert errors.drawn(text) == text, "run python docs/errors.py"


def test_the_example_of_a_script_prints_what_the_page_says() -> None:
    scripts = docs_module("scripts")
    text = (DOCS / "scripts.md").read_text()
    assert "-E2BIG" in text
    assert scripts.drawn(text) == text, "run python docs/scripts.py"


def test_every_document_and_heading_that_is_referred_to_is_here() -> None:
    wrong = {str(path.relative_to(ROOT)): missing for path, text in texts() if (missing := dangling(path, text))}
    assert not wrong


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see docs/kernel.md", []),
        ("see [it](kernel.md#serial)", []),
        ("see docs/design.md", ["docs/design.md"]),
        ("see design.md, and kernel.md#no-such", ["design.md", "kernel.md#no-such"]),
    ],
)
def test_what_is_not_here_is_noticed(text: str, missing: list[str]) -> None:
    assert dangling(DOCS / "acomp.md", text) == missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for name, anchor in LINK.findall(page.read_text()):
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


WITH_COMMANDS = [pytest.param(page, id=page.name) for page in PAGES if COMMAND.search(page.read_text())]


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_that_a_page_prints_are_taken(page: Path) -> None:
    commands, text = typer.main.get_group(app).commands, page.read_text()
    for name, *words in map(shlex.split, COMMAND.findall(text)):
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, (name, words)
    assert [script for script in SCRIPT.findall(text) if not (ROOT / script).is_file()] == []


def test_there_are_commands() -> None:
    assert len(WITH_COMMANDS) >= 5


def test_nothing_refers_to_the_workshop() -> None:
    """Chapters of papers that only their authors have tell a reader nothing: say the fact, or link docs/kernel.md."""
    wrong = {}
    for path, text in texts():
        found = WORKSHOP.findall(text) + (CHAPTER.findall(text) if path.suffix == ".py" else [])
        if found:
            wrong[str(path.relative_to(ROOT))] = found
    assert not wrong


def test_invariants_that_are_named_are_listed() -> None:
    listed = set(re.findall(r"^\| I([0-9]+) \|", (DOCS / "invariants.md").read_text(), re.MULTILINE))
    assert listed == {str(number) for number in range(1, len(listed) + 1)}
    named = {number for path, text in texts() if path.suffix == ".py" for number in INVARIANT.findall(text)}
    assert named and named <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_the_docs_name_is_there(page: Path) -> None:
    text = page.read_text()
    assert [path for path in CODE_PATH.findall(text) if not (ROOT / path).exists()] == []
    for names, path in IN_FILE.findall(text):
        defined = re.findall(r"^(?:class |async def |def |)(\w+)", (ROOT / path).read_text(), re.MULTILINE)
        assert [name for name in re.findall(r"`(\w+)`", names) if name not in defined] == [], path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_that_the_docs_print_are_there(page: Path) -> None:
    for name in DOTTED.findall(page.read_text()):
        if name not in load_testbed("spr-2s-8iaa").parameters and name not in CALLS:
            pkgutil.resolve_name(name)
