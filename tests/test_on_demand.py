"""What `import acomp, iaa_emulator, zswap` leaves for later, and that it comes when asked for.

A program in a process of its own reports which modules it has after each step: in the test's process all are loaded.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import acomp
import iaa_emulator
from acomp import codecs

ROOT = Path(__file__).parents[1]

PROGRAM = """
import asyncio, json, sys

LATE = ("acomp.testing", "isal", "lz4", "lzallright", "pydantic", "zstandard")
told = {}


def note(step):
    told[step] = [name for name in LATE if name in sys.modules]


import acomp, iaa_emulator, zswap
note("import")
told["dir"] = [name for package in (acomp, iaa_emulator, zswap) for name in package.__all__ if name not in dir(package)]
told["listed"] = [name for name in ("Lz4Codec", "ZstdCodec", "CODECS") if name not in dir(acomp.codecs)]
try:
    acomp.nothing
except AttributeError as error:
    told["nothing"] = str(error)
told["metrics"] = ["zswap.metrics" in sys.modules, "metrics" in dir(zswap), zswap.metrics.collector.__name__]
note("dir")


async def steps():
    async with zswap.Zswap.open(zswap.Params(compressor="deflate")) as store:
        await store.store(zswap.Folio(0, bytes(4096)))
    note("deflate")
    import acomp.threads
    note("threads")
    async with acomp.threads.open(workers=1, algorithms=["zstd"]):
        note("zstd-threads")
    acomp.crypto_alloc_acomp("lzo")
    note("lzo")
    async with iaa_emulator.Platform.open():
        note("platform")
    sys.modules["lz4"] = None  # as if it were not installed
    for place in ("transform", "workers"):
        try:
            if place == "transform":
                acomp.crypto_alloc_acomp("lz4")
            else:
                async with acomp.threads.open(algorithms=["zstd", "lz4"]):
                    pass
        except ImportError as error:
            told[place] = str(error)
    told["left"] = acomp.crypto_has_acomp("zstd-threads")
    del sys.modules["lz4"]
    acomp.crypto_alloc_acomp("lz4")
    note("lz4")


asyncio.run(steps())
acomp.testing.check_conformance
note("testing")
iaa_emulator.preset("spr-2s-8iaa")
note("preset")
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> Mapping[str, Any]:
    """What the program has told."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.xdist_group("on_demand")
@pytest.mark.parametrize(
    ("step", "loaded"),
    [
        ("import", ""),
        ("dir", ""),
        ("deflate", ""),
        ("threads", ""),
        ("zstd-threads", "zstandard"),
        ("lzo", "lzallright zstandard"),
        ("platform", "isal lzallright zstandard"),
        ("lz4", "isal lz4 lzallright zstandard"),
        ("testing", "acomp.testing isal lz4 lzallright zstandard"),
        ("preset", "acomp.testing isal lz4 lzallright pydantic zstandard"),
    ],
)
def test_each_module_comes_with_what_needs_it(told: Mapping[str, Any], step: str, loaded: str) -> None:
    assert told[step] == loaded.split()


@pytest.mark.xdist_group("on_demand")
def test_names_are_listed_before_they_are_loaded(told: Mapping[str, Any]) -> None:
    assert told["dir"] == told["listed"] == []
    assert told["nothing"] == "module 'acomp' has no attribute 'nothing'"


@pytest.mark.xdist_group("on_demand")
def test_the_metrics_need_no_import_of_their_own(told: Mapping[str, Any]) -> None:
    assert told["metrics"] == [False, True, "collector"]


@pytest.mark.xdist_group("on_demand")
def test_a_codec_that_is_missing_is_told_on_opening_and_not_by_a_worker(told: Mapping[str, Any]) -> None:
    assert "lz4" in told["transform"] and "lz4" in told["workers"]
    assert not told["left"], "zstd-threads was registered for a context that never was"


def test_what_comes_on_demand_is_what_the_module_has() -> None:
    assert acomp.testing is sys.modules["acomp.testing"]
    assert iaa_emulator.perform is sys.modules["iaa_emulator.hardware.silicon"].perform
    assert codecs.Lz4Codec is sys.modules["acomp.codecs.lz4"].Lz4Codec
    assert all(type(codecs.CODECS[name]()).__name__ == f"{name.capitalize()}Codec" for name in codecs.CODECS)
