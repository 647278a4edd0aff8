"""The README's commands for the service, as they stand there, on another port."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "README.md").read_text().partition("## Ask:")[2].partition("\n## ")[0]


def test_a_script_a_chain_and_a_page_that_survives_a_restart(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "swaplab").symlink_to(ROOT / "swaplab")
    lines = re.sub(r"\\\n +", "", SECTION).split("\n")
    commands = [line.strip() for line in lines if line.startswith("    ")]
    assert commands.pop(0).startswith(".venv/bin/pip install")
    serve = f"{sys.executable} -m swaplab serve --port {port}"
    script = "\n".join(commands).replace(".venv/bin/swaplab serve", serve).replace("8420", port)
    script = script.replace("curl ", "curl -sS --fail-with-body --retry 60 --retry-connrefused --retry-delay 1 ")
    done = subprocess.run(
        ["bash", "-c", f"set -em\ntrap 'kill %% || true' EXIT\n{script}\n"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"schema":"swaplab.script-run/1"' in done.stdout
    answer = (tmp_path / "answer").read_bytes()
    assert 24 < len(answer) < 4096
    assert answer[16] == 1, "hardware"
