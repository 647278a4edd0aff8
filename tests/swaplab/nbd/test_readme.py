"""The README's commands, as they stand there."""

import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.nbd, pytest.mark.slow, pytest.mark.xdist_group("nbd clients")]

README = Path(__file__).parents[3] / "README.md"


def commands() -> list[list[str]]:
    section = README.read_text().partition("## Serve:")[2].partition("\n## ")[0]
    lines = re.findall(r"(?m)^    (.+)$", section)
    return [shlex.split(line, comments=True) for line in lines]


def test_an_image_is_copied_to_the_device_and_back(tmp_path: Path) -> None:
    with (tmp_path / "disk.img").open("wb") as image:
        image.write(Path(os.__file__).read_bytes() + random.Random(1).randbytes(100_000))
        image.seek(40 << 20)
        image.write(b"the end")
        image.truncate(64 << 20)
    (program, *arguments), *rest = commands()
    assert program == ".venv/bin/swaplab" and arguments.pop() == "&" and len(rest) == 3
    server = subprocess.Popen([sys.executable, "-m", "swaplab", *arguments], stdout=subprocess.PIPE, cwd=tmp_path)
    try:
        assert server.stdout is not None and server.stdout.readline().startswith(b"nbd+unix:///?socket=")
        for command in rest:
            subprocess.run(command, check=True, timeout=60, cwd=tmp_path)
        server.terminate()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.img", "disk.img"]
