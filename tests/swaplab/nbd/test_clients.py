"""The programs that people use: what they write they read, and they understand what they are told."""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.swaplab.nbd.server import running

pytestmark = [pytest.mark.nbd, pytest.mark.slow, pytest.mark.xdist_group("nbd clients")]

SIZE = 24_000_003
"""No multiple of anything."""
PYTHON = "/usr/bin/python3"
"""Debian's, which has the module of python3-libnbd."""


def run(*arguments: str | Path) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


def nbdsh(uri: str, script: str) -> None:
    run(
        PYTHON,
        "-m",
        "nbd",
        "-c",
        f"h.set_strict_mode(0); h.add_meta_context('base:allocation'); h.connect_uri({uri!r})",
        "-c",
        script,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text, zeroes, holes and noise."""
    path = tmp_path_factory.mktemp("nbd") / "disk.img"
    noise = random.Random(5)
    text = Path(os.__file__).read_bytes()
    with path.open("wb") as file:
        for at in range(0, SIZE - 300_000, 1_000_000):
            file.seek(at)
            file.write(text[: 3 * len(text) // 4] + bytes(70_000) + noise.randbytes(9_000) + text)
        file.truncate(SIZE)
    return path


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running("--size", str(SIZE), "--max-pool", "2M") as uri:
        yield uri


def test_nbdinfo_understands_all_of_it(uri: str) -> None:
    [export] = json.loads(run("nbdinfo", "--json", uri))["exports"]
    assert export["export-size"] == SIZE and export["contexts"] == ["base:allocation"]
    can = {name for name, value in export.items() if name.startswith("can_") and value}
    assert can == {f"can_{what}" for what in ("cache", "df", "fast_zero", "flush", "fua", "multi_conn", "trim", "zero")}
    assert not export["is_read_only"] and not export["is_rotational"]
    sizes = [export[f"block_size_{which}"] for which in ("minimum", "preferred", "maximum")]
    assert sizes == [1, 4096, 32 << 20]
    assert json.loads(run("nbdinfo", "--list", "--json", uri))["exports"][0]["export-name"] == ""


def test_nbdcopy_there_and_back(uri: str, image: Path, tmp_path: Path) -> None:
    run("nbdcopy", "--connections=4", "--flush", image, uri)
    run("nbdcopy", "--connections=4", uri, tmp_path / "back.img")
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()
    told = json.loads(run("nbdinfo", "--map", "--json", uri))
    zeroes = sum(extent["length"] for extent in told if extent["type"] & 2)
    assert 0.3 * SIZE < zeroes < SIZE and sum(extent["length"] for extent in told) == SIZE
    assert (tmp_path / "back.img").stat().st_blocks * 512 < SIZE - zeroes + 300_000, "and holes were made of them"


def test_qemu_img_there_and_back(uri: str, image: Path, tmp_path: Path) -> None:
    sectors = tmp_path / "sectors.img"  # of which qemu's images consist; it would write beyond the end else
    sectors.write_bytes(image.read_bytes()[: SIZE - SIZE % 512])
    run("qemu-img", "convert", "-n", "-W", "-f", "raw", "-O", "raw", sectors, uri)
    assert "Images are identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, uri)
    run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", uri, tmp_path / "back.qcow2")
    assert "Images are identical" in run(
        "qemu-img", "compare", "-f", "raw", "-F", "qcow2", uri, tmp_path / "back.qcow2"
    )


def test_fio_verifies_what_it_writes_at_random(uri: str) -> None:
    run(
        *("fio", "--name=verify", "--ioengine=nbd", f"--uri={uri}", "--rw=randrw", "--bsrange=512-32k", "--size=6M"),
        *("--iodepth=16", "--verify=crc32c", "--buffer_compress_percentage=60", "--randseed=3"),
    )


def test_libnbd_with_unaligned_ranges_on_several_connections(uri: str) -> None:
    nbdsh(
        uri,
        f"""
import random, nbd
random = random.Random(7)
others = [h] + [nbd.NBD() for _ in range(3)]
for one in others[1:]:
    one.connect_uri({uri!r})
size = h.get_size()
h.zero(size // 2, 0); h.zero(size - size // 2, size // 2, nbd.CMD_FLAG_NO_HOLE)
model = bytearray(size)
for step in range(400):
    one = random.choice(others)
    offset = random.randrange(size)
    length = min(random.choice([1, 511, 4096, 5000, 70000]), size - offset)
    what = random.randrange(5)
    if what < 2:
        data = random.choice([random.randbytes(length), bytes([step % 256]) * length])
        one.pwrite(data, offset, nbd.CMD_FLAG_FUA if step % 3 else 0)
        model[offset : offset + length] = data
    elif what == 2:
        one.zero(length, offset, random.choice([0, nbd.CMD_FLAG_NO_HOLE, nbd.CMD_FLAG_FAST_ZERO]))
        model[offset : offset + length] = bytes(length)
    elif what == 3:
        start = offset - offset % 4096
        length = min(8192, (size - start) // 4096 * 4096)
        if length:
            one.trim(length, start)
            model[start : start + length] = bytes(length)
    offset = random.randrange(size)
    length = min(20000, size - offset)
    assert random.choice(others).pread(length, offset) == model[offset : offset + length], step
h.flush()
for at in range(0, size, 1 << 20):
    assert h.pread(min(1 << 20, size - at), at) == model[at : at + (1 << 20)]
""",
    )


def test_what_is_forbidden_is_an_error_and_the_device_serves_on(uri: str) -> None:
    nbdsh(
        uri,
        """
import errno, nbd
size = h.get_size()

def fails(number, call, *arguments):
    try:
        call(*arguments)
    except nbd.Error as error:
        assert error.errnum == number, (error, call, arguments)
    else:
        raise AssertionError((call, arguments))

fails(errno.EINVAL, h.pread, 2, size - 1)
fails(errno.ENOSPC, h.pwrite, b"ab", size - 1)
fails(errno.ENOSPC, h.zero, 2, size - 1)
fails(errno.EINVAL, h.trim, 2, size - 1)
fails(errno.EINVAL, h.cache, 2, size - 1)
fails(errno.EINVAL, h.pread, 1, 1 << 62)
fails(errno.EINVAL, h.pread, 0, 0)
fails(errno.EINVAL, h.pwrite, b"x", 0, 1 << 9)
fails(errno.EINVAL, h.trim, 1, 0, nbd.CMD_FLAG_FAST_ZERO)
fails(errno.EINVAL, h.block_status, 0, 0, lambda *extents: 0)
assert h.pread(1, 0) is not None
""",
    )


def test_a_client_that_is_killed_takes_nobody_with_it(uri: str, image: Path) -> None:
    copying = subprocess.Popen(["nbdcopy", "--connections=4", image, uri])
    copying.kill()
    copying.wait(60)
    run("nbdcopy", image, uri)
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, uri)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server and a client, under the names that libnbd looks for."""
    directory = tmp_path_factory.mktemp("certificates")
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    authority, key = directory / "ca-cert.pem", directory / "ca-key.pem"
    run(*new, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", key, "-out", authority)
    for who in ("server", "client"):
        asked, own = directory / f"{who}.csr", directory / f"{who}-key.pem"
        run(
            *new,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            own,
            "-out",
            asked,
        )
        sign = ("openssl", "x509", "-req", "-days", "2", "-copy_extensions", "copy", "-CAcreateserial")
        run(*sign, "-CA", authority, "-CAkey", key, "-in", asked, "-out", directory / f"{who}-cert.pem")
    return directory


@pytest.fixture
def tls_uri(certificates: Path) -> Iterator[str]:
    files = [f"--tls-cert={certificates}/server-cert.pem", f"--tls-key={certificates}/server-key.pem"]
    with running("--size", str(SIZE), "--port", "0", *files, f"--tls-verify-peer={certificates}/ca-cert.pem") as uri:
        yield uri


def test_tls_with_a_client_that_is_known(tls_uri: str, certificates: Path, image: Path, tmp_path: Path) -> None:
    assert tls_uri.startswith("nbds://127.0.0.1:")
    known = f"{tls_uri}/?tls-certificates={certificates}"
    run("nbdcopy", "--connections=4", image, known)
    run("nbdcopy", "--connections=4", known, tmp_path / "back.img")
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()
    assert json.loads(run("nbdinfo", "--json", known))["TLS"] is True


def test_nobody_else_is_served(tls_uri: str, certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "ca-cert.pem").write_bytes((certificates / "ca-cert.pem").read_bytes())
    for unknown in (f"{tls_uri}/?tls-certificates={tmp_path}", tls_uri.replace("nbds", "nbd")):
        done = subprocess.run(["nbdinfo", "--size", unknown], capture_output=True, text=True, timeout=60)
        assert done.returncode, done.stdout
    assert run("nbdinfo", "--size", f"{tls_uri}/?tls-certificates={certificates}").strip() == str(SIZE)
