"""A script is checked as a whole before anything runs; what is refused is told in one line, with the call."""

import base64
import inspect
import json
from typing import Any

import pytest

from swaplab.story import bounds
from swaplab.story.calls import CALLS
from swaplab.story.script import Page, Script
from swaplab.story.validate import ScriptError, read_script
from tests.swaplab.story.scripts import buffer, call, document, page, ref, requests

STORE = [call("Zswap", "zstd", as_="s")]


def refusal(text: str | bytes) -> ScriptError:
    with pytest.raises(ScriptError) as refused:
        read_script(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000
    return refused.value


@pytest.mark.parametrize(
    ("calls", "index", "said"),
    [
        ([call("crypto_aloc_acomp", "x")], 0, "did you mean crypto_alloc_acomp?"),
        ([call("__class__")], 0, "there is no such call"),
        ([call("CryptoWait"), call("CryptoWait", as_="__class__")], 1, "as: a name is a small letter"),
        ([call("CryptoWait", as_="w\n")], 0, "as: a name is a small letter"),
        ([call("CryptoWait", 1)], 0, "it has 1 argument; it is CryptoWait()"),
        ([call("acomp_request_alloc")], 0, "it has 0 arguments; it is acomp_request_alloc(tfm)"),
        ([call("CryptoWait", 1.5)], 0, "an argument is no float"),
        ([call("CryptoWait", [[1]])], 0, "lists are flat"),
        ([call("list", *[1] * 65)], 0, "args: Tuple should have at most 64 items"),
        ([call("acomp_request_free", [1] * 65)], 0, "64 at most"),
        ([call("CryptoWait") | {"arg": []}], 0, "known are call, args, as, task"),
        ([call("acomp_request_alloc", ref("a"), as_="a")], 0, "a is not bound yet: this very call binds it"),
        ([call("acomp_request_alloc", ref("w")), call("CryptoWait", as_="w")], 0, "call 1 binds it, later"),
        ([call("CryptoWait", as_="wait"), call("acomp_request_alloc", ref("wiat"))], 1, "did you mean wait?"),
        ([call("CryptoWait", as_="w"), call("CryptoWait", as_="w")], 1, "w is bound already, by call 0"),
        ([call("requests_idle", [], as_="a", task="b")], 0, "it has `as` and `task`"),
        (
            [call("CryptoWait", task="b")],
            0,
            "it does not wait, so it cannot be a task; those that can: crypto_wait_req",
        ),
        ([call("acomp_request_alloc", buffer(10**9))], 0, "less than or equal to 131072"),
        ([call("acomp_request_alloc", {"boffer": 1})], 0, "one of ref, page, buffer, sg, name"),
        ([call("acomp_request_alloc", {"ref": "a", "page": "b"})], 0, "an object with one key is expected"),
        ([call("acomp_request_alloc", page("txet"))], 0, "there is no page 'txet'; did you mean text?"),
        ([call("acomp_request_alloc", {"name": "crypto_req_dome"})], 0, "did you mean crypto_req_done?"),
        ([call("acomp_request_alloc", {"name": "__import__"})], 0, "nothing is called '__import__' here"),
        ([call("crypto_has_acomp", 10**30)], 0, "64 bits at most"),
        ([call("crypto_has_acomp", "x" * 257)], 0, "256 at most"),
        ([call("crypto_has_acomp", "\ud800")], 0, "no character"),
        ([call("machine.unbind", "iax2")], 0, "device is one of iax1, iax3"),
        ([call("machine.remove_wq", "iax1", 1)], 0, "the number of a queue, from 0 to 0"),
        ([call("machine.step", 0)], 0, "n is an integer from 1"),
        ([call("machine.step", True)], 0, "n is an integer from 1"),
        ([call("fault.at", "iaa.submt", 1)], 0, "did you mean iaa.submit?"),
        ([call("fault.at", "zswap.pool_alloc", 1)], 0, "point is one of acomp.reqchain_state"),
        ([call("time.advance", -1)], 0, "ns is an integer from 0 to 60000000000"),
        ([call("CryptoWait", as_="w"), call("task.cancel", ref("w"))], 1, "task is a task"),
        ([call("CryptoWait", as_="w"), call("machine.land", ref("w"))], 1, "ref is a request"),
        ([call("machine.attribute", "sync_mode", 1)], 0, "text is a string"),
        ([call("Zswap", "zstd", "rau", as_="s")], 0, "features is one of v8, base, raw; did you mean raw?"),
        ([call("Zswap", "zstd", task="s"), call("zswap.load", ref("s"), 0)], 1, "store is a store"),
        ([*STORE, call("zswap.load", ref("s"), 1 << 20)], 1, "offset is an integer from 0 to 1048575"),
        ([*STORE, call("zswap.store", ref("s"), 0, [])], 1, "pages is a list of pages"),
        ([*STORE, call("zswap.store", ref("s"), 0, page("text"))], 1, "pages is a list of pages"),
        ([*STORE, call("zswap.store", ref("s"), 0, [buffer()])], 1, "pages is a list of pages"),
        ([*STORE, call("zswap.store", ref("s"), 0, [page("folio")])], 1, "of 4096 bytes each; folio has 16384"),
        ([call("Zswap", "zstd")] * 5, 4, "5 stores; a script has 4 at most"),
        ([call("list", 1, as_="a"), call("list", ref("a"))], 1, "a is a list, and lists are flat"),
        ([call("list", [1])], 0, "a list in a list"),
        ([*requests(1), *[call("acomp_request_alloc", ref("tfm"))] * 64], 67, "65 requests; a script has 64 at most"),
        ([call("requests_idle", [], task=f"t{n}") for n in range(17)], 16, "17 tasks; a script has 16 at most"),
        ([call("requests_idle", [buffer(131072)] * 64)] * 3, None, "16 MiB at most"),
        ([call("CryptoWait")] * 513, None, "513 calls; a script has 512 at most"),
        ([{}], 0, "call: Field required"),
        ([7], 0, "call 0: an object is expected"),
    ],
)
def test_a_call_that_cannot_be_is_named(calls: list[Any], index: int | None, said: str) -> None:
    refused = refusal(json.dumps(document(*calls, devices=2)))
    assert said in str(refused)
    assert refused.index == index
    assert refused.errno == 22
    if index is not None:
        assert f"call {index}" in str(refused)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schema": "swaplab.script/2"}, 'this version reads "schema": "swaplab.script/1"'),
        ({"calls": {}}, "calls: a list is expected"),
        ({"schema": None}, "the schema is None"),
        ({"call": []}, "call: there is no such key; known are schema, machine, pages, calls, on_error"),
        ({"machine": {"devices": 9}}, "machine.devices: Input should be less than or equal to 8"),
        ({"machine": {"devices": True}}, "machine.devices: "),
        ({"machine": {"device": 1}}, "machine.device: there is no such key"),
        ({"machine": {"patches": [99]}}, 'patches are "v8", "base", or a list'),
        ({"machine": {"wq_size": 65, "wqs_per_device": 2}}, "2 queues of 65 have 130 descriptors; a device has 128"),
        ({"machine": {"g_wqs_per_iaa": 1, "patches": "base"}}, "g_wqs_per_iaa comes with patch 9"),
        ({"pages": {"P": {"fill": 0}}}, "pages.P: a name is a small letter"),
        ({"pages": {"\u2028": {"fill": 0}}}, "the key '\\u2028' cannot be printed"),
        ({"\ud800": 0}, "the key '\\ud800' cannot be printed"),
        ({"a b": 0}, "'a b': there is no such key"),
        ({"pages": {"p": {"base64": "***"}}}, "this is no base64"),
        ({"pages": {"p": {"base64": ""}}}, "a page has a byte at least"),
        ({"pages": {"p": {"base64": base64.b64encode(bytes(131073)).decode()}}}, "131072 at most"),
        ({"pages": {"p": {"base64": "A" * 300_000}}}, "131072 bytes at most"),
        ({"pages": {"p": {"base64": "AAAA", "bytes": 7}}}, "leave bytes out"),
        ({"pages": {"p": {"fill": 0, "text": "a"}}}, "one of text, random, fill, base64, and not text and fill"),
        ({"pages": {"p": {}}}, "and not none"),
        ({"pages": {"p": {"fill": 256}}}, "less than or equal to 255"),
        ({"pages": {f"p{n}": {"fill": 0} for n in range(65)}}, "an object with 65 keys; 64 at most"),
        ({"pages": {f"p{n}": {"fill": 0, "bytes": 131072} for n in range(33)}}, "4 MiB at most"),
    ],
)
def test_a_script_that_cannot_be_is_refused(changed: dict[str, Any], said: str) -> None:
    assert said in str(refusal(json.dumps(document() | changed)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 100_000, "nested deeper"),
        ("9" * 5000, "more digits"),
        ("{", "no JSON"),
        (b"\xff\xfe\xff", "no UTF-8"),
        (b"", "no JSON"),
        ('{"schema": 1, "schema": 2}', "the key 'schema' is there twice"),
        ('{"schema": NaN}', "NaN is no number"),
        ("[]", "a script is an object"),
        (json.dumps({f"k{n}": 0 for n in range(500_000)}), "an object with 500000 keys; 64 at most"),
        (json.dumps(document(*[call("list", *[[0] * 64] * 64)] * 512)), "2129920 arguments in all; a script has 20000"),
        ("{}", "the schema is missing"),
        ("x" * (bounds.JSON_BYTES + 1), "8 MiB at most"),
        (json.dumps(document() | {"calls": [0] * 1_000_000}), "1000000 calls"),
    ],
    ids=lambda given: str(given)[:24].strip(),
)
def test_what_is_hostile_is_refused(text: str | bytes, said: str) -> None:
    assert said in str(refusal(text))


def test_pages_are_what_they_say() -> None:
    assert Page(text="ab", bytes=5).content == b"ababa"
    assert Page(fill=7).content == b"\7" * 4096
    assert Page(base64="aGFsbG8=").content == b"hallo"
    assert len(set(Page(random=1).content)) == 256
    assert Page(random=1).content != Page(random=2).content


def test_a_script_is_read_as_it_was_written() -> None:
    script = Script.model_validate(document(*requests(3), devices=2, patches=[4, 9]))
    assert read_script(script.model_dump_json(by_alias=True)) == script


@pytest.mark.parametrize("name", CALLS)
def test_parameters_are_called_as_the_functions_own(name: str) -> None:
    entry = CALLS[name]
    if entry.function is not None:
        assert [param.name for param in entry.params] == list(inspect.signature(entry.function).parameters)
        assert entry.waits == inspect.iscoroutinefunction(entry.function)
