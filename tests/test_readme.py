"""The code in the README runs as it stands."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from acomp.codecs import BytesLike, ZstdCodec

pytestmark = pytest.mark.slow

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_code_runs(code: str, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(code)
    ran = subprocess.run(
        [sys.executable, "-W", "error", file], capture_output=True, text=True, timeout=280, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_there_is_code() -> None:
    assert len(BLOCKS) >= 2


def test_the_embedding_example_leaves_compression_to_the_workers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = (block for block in BLOCKS if "import zswap" in block)
    compress_many, by = ZstdCodec.compress_many, list[threading.Thread]()

    def seen(codec: ZstdCodec, pages: list[BytesLike]) -> list[bytes]:
        by.extend([threading.current_thread()] * len(pages))
        return compress_many(codec, pages)

    monkeypatch.setattr(ZstdCodec, "compress_many", seen)
    exec(compile(code, "README.md", "exec"), {})
    assert len(by) == 16 and threading.current_thread() not in by
    assert capsys.readouterr().out.startswith("True True 15 ")
