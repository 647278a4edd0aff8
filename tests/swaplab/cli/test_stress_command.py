"""`swaplab stress`: what it explores, finds, repeats and refuses."""

import os
import re
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from swaplab.cli import progress
from swaplab.cli.commands import app
from swaplab.stress.zoo import BUGS

pytestmark = pytest.mark.slow

FILE = textwrap.dedent("""
    import asyncio
    from swaplab import stress

    @stress.scenario(seeds=3)
    async def holds(world):
        world.sometimes(lambda: True, "the [sun]")
        async with world.clients(lambda: asyncio.sleep(1), n=2):
            pass

    @stress.scenario(seeds=3)
    async def breaks(world):
        world.always(lambda: not state, "clean [red]<b>state</b>")
        state = []
        async def client():
            world.log("<script>alert(1)</script> [bold]x[/]")
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                state.append(1)
                raise
        async with world.clients(client, n=2):
            pass

    @stress.scenario(seeds=2)
    async def sees_no_moon(world):
        world.sometimes(lambda: False, "the moon")
        await asyncio.sleep(1)

    @stress.scenario(seeds=2)
    async def with_a_very_long_name_such_that_its_token_is_long_as_well_and_goes_into_a_file(world):
        await asyncio.sleep(1)
        raise LookupError
""")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to be in, with no name of a module that another test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "FIRST_LINE_S", 1000.0)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def file(here: Path) -> str:
    name = f"{here.name}.py"
    (here / name).write_text(FILE)
    return name


def stress(*arguments: str, width: int = 200) -> Result:
    done = CliRunner().invoke(app, ["stress", "--jobs", "1", *arguments], env={"COLUMNS": str(width)})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def refused(*arguments: str) -> str:
    """The one line that says why."""
    done = stress(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("swaplab stress: ") and done.stderr.count("\n") == 1
    return done.stderr.removeprefix("swaplab stress: ").strip()


def test_what_holds_is_a_row_and_status_0(file: str) -> None:
    done = stress(f"{file}::holds", "--seeds", "0:4")
    assert done.exit_code == 0
    cells = [cell.strip() for line in done.stdout.splitlines() if "holds" in line for cell in line.split("\u2502")]
    assert int(cells[2]) > 8 and cells[3] == "4" and cells[7:9] == [f"the [sun]: {cells[2]}", "held"]


def test_a_finding_is_told_and_its_command_repeats_it(file: str) -> None:
    done = stress(file)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert f"{file[:-3]}:breaks fails with seed 0 (run 3, policy fifo)" in lines
    assert "  always: clean [red]<b>state</b>" in lines
    assert '\u00bb log: "<script>alert(1)</script> [bold]x[/]"' in done.stdout
    assert f"{file}::sees_no_moon: no run reached: the moon; take more seeds" in done.stdout
    (command,) = (line for line in lines if line.startswith("replay: ") and "::breaks" in line)
    words = command.removeprefix("replay: swaplab stress ").split()
    again = stress(*words)
    assert again.exit_code == 1
    assert "  always: clean [red]<b>state</b>" in again.stdout.splitlines()


def test_a_long_token_is_in_a_file_that_the_command_names(file: str, here: Path) -> None:
    done = stress(f"{file}::with_a_very_long_name_such_that_its_token_is_long_as_well_and_goes_into_a_file")
    named = re.search(r"--replay (stress-\w+\.token)$", done.stdout, flags=re.MULTILINE)
    assert named is not None and len((here / named[1]).read_text()) > 200
    again = stress(file, "--replay", named[1])
    assert again.exit_code == 1 and "LookupError()" in again.stdout
    assert f"--replay {named[1]}" in again.stdout and len(list(here.glob("*.token"))) == 1


def test_a_replay_after_the_repair_holds(file: str, here: Path) -> None:
    (here / file).write_text(FILE.replace("state = []", "world.sometimes(lambda: False, 'the moon'); state = []"))
    done = stress(f"{file}::breaks")
    token = re.search(r"--replay (\S+)", done.stdout)
    assert token is not None
    (here / file).write_text((here / file).read_text().replace("state.append(1)", "pass"))  # read anew by a worker
    again = stress(f"{file}::breaks", "--replay", token[1])
    assert again.exit_code == 0 and "held" in again.stdout and "no run reached" not in again.stdout


@pytest.mark.parametrize("width", [40, 80])
def test_nothing_is_wider_than_the_terminal_but_what_is_copied(width: int) -> None:
    done = stress("zoo.handed_faulty", "zoo.handed_correct", "--seeds", "0:40", width=width)
    told, _, drawn = done.stdout.partition("\n\n")
    timeline, _, table = drawn.partition("\nreplay: ")
    assert "did not hold: at rest" in " ".join(timeline.split())
    assert max(map(len, (timeline + table.partition("\n\n")[2]).splitlines())) <= width
    assert told.startswith("swaplab.stress.zoo.pools:handed_faulty fails")


def test_our_own_are_found_by_name_by_token_and_in_groups() -> None:
    done = stress("zoo", "--seeds", "0:40", "--jobs", "2", "--no-shrink")
    assert done.exit_code == 1
    assert [done.stdout.count(f"\u2502 {verdict} ") for verdict in ("found", "held")] == [len(BUGS)] * 2
    token = re.search(r"zoo.made_faulty --replay (\S+)", done.stdout)
    assert token is not None
    assert "made_faulty fails" in stress("--replay", token[1]).stdout
    assert "and not of zoo.made_correct: name its file" in refused("zoo.made_correct", "--replay", token[1])


class Page(HTMLParser):
    """What a page has: its tags with attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_escaped(file: str, here: Path) -> None:
    done = stress(f"{file}::breaks", f"{file}::holds", "--html", "page.html")
    page = Page((here / "page.html").read_text())
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == 1 and "b" not in [tag for tag, given in page.tags if not given]
    assert not [given for _, given in page.tags if "src" in given or "href" in given]
    for told in ("always: clean [red]<b>state</b>", "\u201c<script>alert(1)</script> [bold]x[/]\u201d", "held"):
        assert told in page.text
    replay = re.search(r"replay: (.*)", done.stdout)
    assert replay is not None and replay[1] in page.text
    labelled = [given["for"] for tag, given in page.tags if tag == "label"]
    assert labelled and set(labelled) <= {given.get("id") for _, given in page.tags}


def test_a_page_may_go_to_stdout(file: str) -> None:
    done = stress(f"{file}::holds", "--html", "-")
    assert done.stdout.startswith("<!doctype html>") and "held" in done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "can not be imported: ZeroDivisionError: division by zero (line 3)"),
        ("def x(:", "can not be imported: SyntaxError: invalid syntax (line 3)"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it' (line 3)"),
        ("raise SystemExit('bye')", "can not be imported: SystemExit: bye (line 3)"),
        ("async def f(world): ...", "has no scenario: decorate an `async def` that takes a world with"),
        (
            "@stress.scenario()\ndef f(world): ...",
            "the scenario f is no coroutine function: write `async def` (line 3)",
        ),
        ("@stress.scenario()\nasync def f(): ...", "the scenario f takes one argument, the stress.World,"),
        ("@stress.scenario(colour=1)\nasync def f(world): ...", "unexpected keyword argument 'colour' (line 3)"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_line(code: str, said: str, here: Path) -> None:
    name = f"{here.name}.py"
    (here / name).write_text(f"import asyncio\nfrom swaplab import stress\n{code}\n")
    why = refused(name)
    assert why.startswith(name) and said in why


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "::f can not be explored: it never suspends, so there is nothing to disturb: let it await something"),
        (
            "await asyncio.open_connection('localhost', 1)",
            "a socket (loop.create_connection) does not exist in virtual",
        ),
        (
            "loop = asyncio.get_running_loop(); future = loop.create_future(); "
            "threading.Thread(target=loop.call_soon_threadsafe, args=(print,)).start(); await future",
            "a call from another thread",
        ),
    ],
)
def test_what_can_not_be_explored_is_one_line(body: str, said: str, here: Path) -> None:
    name = f"{here.name}.py"
    (here / name).write_text(
        f"import asyncio, threading\nfrom swaplab import stress\n@stress.scenario()\nasync def f(world):\n    {body}\n"
    )
    done = stress(name)
    assert done.exit_code == 2
    assert done.stderr.startswith("swaplab stress: ") and done.stderr.count("\n") == 1 and said in done.stderr


def test_one_that_never_suspends_does_not_stop_the_others(here: Path) -> None:
    name = f"{here.name}.py"
    (here / name).write_text(FILE + "@stress.scenario()\nasync def idle(world): pass\n")
    done = stress(f"{name}::idle", f"{name}::holds", "--html", "page.html")
    assert done.exit_code == 2 and done.stderr.startswith(f"swaplab stress: {name}::idle can not be explored: it never")
    assert "refused" in done.stdout and "\u2502 held" in done.stdout
    assert "it never suspends" in (here / "page.html").read_text()


def test_a_scenario_without_anybody_to_cancel_says_so(here: Path) -> None:
    name = f"{here.name}.py"
    (here / name).write_text(FILE.replace("lambda: False", "lambda: True"))
    assert "held, nobody was cancelled" in stress(f"{name}::sees_no_moon").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name what to explore: all, "),
        (["zoo.unknown"], "there is no scenario 'zoo.unknown': there is all, "),
        (["none.py"], "none.py is not there: name a Python file with scenarios"),
        (["none.py::f"], "none.py is not there"),
        ([".::f"], ". is no file: name a Python file"),
        (["json"], "there is no scenario 'json': did you mean json.py?"),
        (["json::holds"], "there is no scenario 'json': did you mean json.py::holds?"),
        (["two.dots.py"], "take the dots out of its name"),
        (["json.py"], "json is a module of Python's or of others; rename the file"),
        (["zoo", "--seeds", "5:5"], "seeds are FROM:TO with TO above FROM, as in 0:2000, and not '5:5'"),
        (["zoo", "--seeds", "all"], "seeds are FROM:TO"),
        (["--replay", "stress0:abc"], "begins with stress1:, and this one with 'stress0:': explore again"),
        (["--replay", "stress1:abc"], "the token is damaged: copy all of it"),
        (["--replay", "none"], "'none' is no token, which begins with stress1:, and no file that holds one"),
        (["--replay", "stress1:abc", "--seeds", "0:2"], "leave out --seeds and --policy"),
    ],
)
def test_arguments_that_can_not_be_are_one_line(arguments: list[str], said: str, here: Path) -> None:
    for name in ("two.dots.py", "json.py"):
        (here / name).write_text(FILE)
    assert said in refused(*arguments)


def test_a_scenario_that_is_not_in_the_file(file: str) -> None:
    assert refused(f"{file}::none").startswith(f"{file} has no scenario 'none': there is holds, breaks, ")


def test_a_file_in_a_package_is_imported_as_part_of_it(here: Path) -> None:
    package = here / f"package_of_{os.getpid()}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text(FILE)
    (package / "mine.py").write_text("from .other import holds\n")
    assert stress(f"{package.name}/mine.py::holds").exit_code == 0
