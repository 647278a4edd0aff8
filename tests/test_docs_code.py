"""The Python code in README.md and on every page of docs/ runs as it is printed, and prints what its comments say.

What a `print(...)` prints stands in a comment behind it, and on the comment lines below it if there is more; `...` in a
comment stands for anything. A block with tests in it is a test file for the pytest plugin. Every block is whole: it is
run by itself, with modules of ours that no other block has imported, since a forgotten import must show.
"""

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from acomp.codecs import BytesLike, ZstdCodec

ROOT = Path(__file__).parent.parent
OURS = ("acomp", "iaa_emulator", "zswap", "swaplab")
BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
SAID = re.compile(r"^ *print\(.*\)  # (.*(?:\n *#  .*)*)", flags=re.MULTILINE)

BLOCKS = {
    f"{page.name}-{number}": code
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, code in enumerate(BLOCK.findall(page.read_text()), start=1)
}
SUITES = {name: code for name, code in BLOCKS.items() if "def test_" in code}
PROGRAMS = {name: code for name, code in BLOCKS.items() if name not in SUITES}


@contextlib.contextmanager
def unimported() -> Iterator[None]:
    """As in a new interpreter, nothing of ours is imported."""
    with mock.patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        yield


def run(code: str) -> None:
    """Run one block as a script called example.py."""
    exec(compile(code, "example.py", "exec"), {"__name__": "__main__"})


def lines_said(code: str) -> list[str]:
    """The lines that the comments of one block promise."""
    return [re.sub(r"^ *# ?", "", line) for said in SAID.findall(code) for line in said.split("\n")]


def is_printed(said: str, printed: str) -> bool:
    """Whether a line is what a comment says; how far it is indented does not count."""
    return re.fullmatch(re.escape(said.strip()).replace(r"\.\.\.", ".*"), printed.strip()) is not None


@pytest.mark.threads
@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_print_what_is_said(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    with unimported():
        run(code)
    said, printed = lines_said(code), capsys.readouterr().out.splitlines()
    assert said and len(said) == len(printed)
    assert [line for line in zip(said, printed, strict=True) if not is_printed(*line)] == []


@pytest.mark.slow
@pytest.mark.parametrize("code", SUITES.values(), ids=SUITES)
def test_suites_pass(code: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_example=code)
    ran = pytester.runpytest_subprocess("-p", "swaplab.sim.pytest", "-p", "no:asyncio", "--strict-markers")
    ran.assert_outcomes(passed=code.count("def test_"))


def test_there_is_code() -> None:
    assert {name.rpartition("-")[0] for name in BLOCKS} >= {"README.md", "acomp.md", "virtual-time.md", "zswap.md"}
    assert SUITES


def test_other_output_is_noticed() -> None:
    code = 'print(1)  # 1\nfor n in range(2):\n    print(n)  # 0\n    #   and so on, ...\nprint("#")\n'
    assert lines_said(code) == ["1", "0", "  and so on, ..."]
    assert is_printed("...(29), ...", "0 [(29), (30)]") and not is_printed("0 [(29), (30)]", "0 [(29), (31)]")


def test_the_embedding_example_leaves_compression_to_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (code for name, code in PROGRAMS.items() if name.startswith("README.md") and "import zswap" in code)
    compress_many, by = ZstdCodec.compress_many, list[threading.Thread]()

    def seen(codec: ZstdCodec, pages: list[BytesLike]) -> list[bytes]:
        by.extend([threading.current_thread()] * len(pages))
        return compress_many(codec, pages)

    monkeypatch.setattr(ZstdCodec, "compress_many", seen)
    run(code)
    assert len(by) == 9 and threading.current_thread() not in by  # units of 128 KiB
