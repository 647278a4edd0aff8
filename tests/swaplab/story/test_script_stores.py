"""Compressed stores in scripts: folios, what is told of them, and whose the requests are."""

from zlib import crc32

import pytest

from swaplab.story.answer import ScriptRun, StoreView
from swaplab.story.run import run_script
from swaplab.story.script import Page, Script
from swaplab.story.shelf import SHELF
from swaplab.story.transcript import notes_of
from swaplab.story.view import view_of
from tests.swaplab.story.scripts import Json, call, document, errs, held, kinds, last, page, raised, ref, requests, run

EIGHT = {f"p{n}": {"text": f"page {n} "} for n in range(8)}
FOLIO = [page(name) for name in EIGHT]
STORE = call("Zswap", "deflate-iaa", as_="store")


def store(offset: int, *pages: str, **names: str) -> Json:
    return call("zswap.store", ref("store"), offset, [page(name) for name in pages], **names)


def load(offset: int, **names: str) -> Json:
    return call("zswap.load", ref("store"), offset, **names)


def views(answer: ScriptRun) -> list[StoreView]:
    """The store after each call that has changed it."""
    found = [one.changed.get("store") for one in answer.calls]
    return [view for view in found if isinstance(view, StoreView)]


def test_what_is_no_code_is_said_in_words() -> None:
    calls = [
        *(STORE, store(0, "text"), store(9, "text", "random"), load(9), load(9, task="t")),
        *(call("task.join", ref("t")), call("crypto_has_acomp", "zstd"), call("crypto_has_acomp", "zstdd")),
    ]
    script = Script.model_validate(document(*calls))
    answer = run_script(script)
    first = [notes[0].text if notes else "" for notes in notes_of(script, answer)]
    nothing = "-> nothing at this slot"
    assert first[1:] == [
        *("-> 1 (yes, it is in)", "-> 0 (no, nothing of it is in)", nothing, "", nothing, "-> 1 (yes)", "-> 0 (no)")
    ]
    assert answer.calls[3].value is None


def test_a_folio_goes_in_as_one_chain_and_its_pages_come_out() -> None:
    answer = run(STORE, store(4, *EIGHT), *(load(4 + n) for n in (3, 3, 7)), pages=EIGHT)
    wanted = [crc32(Page.model_validate(EIGHT[name]).content) for name in ("p3", "p7")]
    assert [found.value for found in answer.calls[1:]] == [1, wanted[0], None, wanted[1]]
    assert [view.pages for view in views(answer)] == [0, 8, 7, 6]
    counters = views(answer)[-1].counters
    assert counters.pop("pool_total_size") % 4096 == 0
    assert counters == {"zswpout": 8, "zswpout-32kB": 1, "zswpin": 2}
    assert answer.left_over == []


def test_the_requests_of_a_store_are_named_after_it() -> None:
    answer = run(STORE, store(0, *EIGHT), pages=EIGHT)
    submitted = [event.object for event in answer.events if event.kind == "submit"]
    assert submitted == [f"store_{n}" for n in range(8)]
    assert {event.fields["head"] for event in answer.events if event.kind == "complete"} == {"store_0"}
    assert {event.object for event in answer.events if event.kind.startswith("zswap.")} == {"store"}


def test_names_that_the_script_has_taken_are_left_to_it() -> None:
    answer = run(call("CryptoWait", as_="store_1"), STORE, store(0, "text", "zero", "zero"))
    assert [event.object for event in answer.events if event.kind == "submit"] == ["store_0", "store_2", "store_3"]


def test_stores_and_requests_of_the_script_do_not_mix() -> None:
    answer = run(
        *requests(1),
        STORE,
        call("Zswap", "deflate-iaa", as_="other"),
        store(0, "text", "zero", task="t"),
        call("zswap.store", ref("other"), 0, [page("text"), page("zero")], task="u"),
        call("crypto_acomp_compress", ref("r0"), as_="code"),
        call("crypto_wait_req", ref("code"), ref("wait"), task="v"),
        call("machine.step", 9),
        landing="stepped",
    )
    landed = {event.object for event in answer.events if event.kind == "iaa.landed"}
    assert landed == {"r0", "store_0", "store_1", "other_0", "other_1"}
    assert errs(answer) == {"r0": 0} and kinds(answer.left_over) == []
    assert {name: task.value for name, task in answer.tasks.items()} == {"t": 1, "u": 1, "v": 0}


def test_one_page_that_does_not_compress_has_the_folio_rejected() -> None:
    answer = run(STORE, store(0, "text"), store(0, "text", "random", "zero"), load(0))
    rejected, gone = answer.calls[2:]
    assert rejected.value == 0 and gone.value is None
    assert rejected.explain is not None and "one page at least" in rejected.explain.happened
    assert "the whole folio" in rejected.explain.whose and "raw" in rejected.explain.remedy
    assert views(answer)[-1].counters["reject_compress_fail"] == 1
    assert views(answer)[-1].pages == 0


def test_with_raw_pages_it_is_in_as_it_is() -> None:
    answer = run(call("Zswap", "deflate-iaa", "raw", as_="store"), store(0, "text", "random"), load(1))
    assert answer.calls[1].value == 1
    assert last(answer).value == crc32(Page.model_validate({"random": 7}).content)
    assert views(answer)[1].counters["stored_incompressible_pages"] == 1


def test_before_the_series_pages_go_down_one_by_one() -> None:
    answer = run(call("Zswap", "deflate-iaa", "base", as_="store"), store(0, "text", "zero"))
    assert answer.calls[1].value == 1
    assert {event.object for event in answer.events if event.kind == "iaa.queued"} == {"store_0"}
    assert [event for event in answer.events if event.kind == "chain.init"] == []


@pytest.mark.parametrize("algorithm", ["zstd", "lz4", "lzo", "deflate"])
def test_software_stores_as_well(algorithm: str) -> None:
    answer = run(call("Zswap", algorithm, as_="store"), store(0, "text", "zero"), load(1))
    assert [found.value for found in answer.calls[1:]] == [1, crc32(bytes(4096))]


def test_whoever_invalidates_has_the_folio_rejected() -> None:
    answer = run(
        STORE,
        store(0, "text", "zero", task="t"),
        call("zswap.invalidate", ref("store"), 1),
        call("machine.step", 9),
        call("task.join", ref("t")),
        landing="stepped",
    )
    call_run = last(answer)
    assert call_run.value == 0
    assert call_run.explain is not None
    assert "invalidated" in call_run.explain.happened


def test_a_store_whose_task_is_cancelled_leaves_nothing() -> None:
    answer = run(STORE, store(0, "text", "zero", task="t"), call("task.cancel", ref("t")), load(0), landing="stepped")
    assert last(answer).value is None and held(answer) == []
    assert kinds(answer.left_over) == [("job", "store_0"), ("job", "store_1")]


def test_jobs_that_nobody_lands_reject_the_folio_and_disable_the_driver() -> None:
    answer = run(STORE, store(0, "text", "zero"), load(0), landing="stepped")
    assert answer.calls[1].value == 0 and raised(answer) == []
    assert "iaa.disabled" in {event.kind for event in answer.events}


@pytest.mark.parametrize(("name", "failed"), [("store", 0), ("store-rejects", 1), ("store-raw", 1)])
def test_the_stories_of_the_shelf(name: str, failed: int) -> None:
    view = view_of(SHELF[name].script())
    assert (view.figures.failed, view.figures.rounds) == (failed, 2)
    assert view.run.calls[1].value == (name != "store-rejects")
    folio = "the folio of 8 pages at slot 0"
    said = f"store rejects {folio}: no page of it is in" if name == "store-rejects" else f"{folio} is in store"
    assert said in view.said
