"""The checker of histories against brute force, and folios that are seen in part."""

from itertools import permutations
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab.campaigns.history import EMPTY, NEVER, FolioStore, History, Operation, linearizable

KINDS: list[Literal["write", "take", "read"]] = ["write", "write", "take", "read"]


def explains(order: tuple[Operation, ...]) -> bool:
    """Whether these operations can have taken effect in this order, one at a time."""
    state = EMPTY
    for number, operation in enumerate(order):
        if any(later.returned < operation.called for later in order[number + 1 :]):
            return False
        after = operation.apply(state)
        if after is None:
            return False
        state = after
    return True


def by_brute_force(operations: list[Operation]) -> bool:
    """Try every order of every choice of those that may have had no effect."""
    optional = [operation for operation in operations if operation.optional]
    required = [operation for operation in operations if not operation.optional]
    return any(
        explains(order)
        for chosen in range(1 << len(optional))
        for order in permutations(required + [one for bit, one in enumerate(optional) if chosen >> bit & 1])
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """Up to six operations whose calls and returns are in any order."""
    nr = draw(st.integers(1, 6))
    times = draw(st.permutations(range(2 * nr)))
    operations = []
    for number in range(nr):
        called, returned = sorted(times[2 * number : 2 * number + 2])
        kind = draw(st.sampled_from(KINDS))
        value = draw(st.integers(0, 3))
        pending = draw(st.integers(0, 4)) == 0
        operations.append(Operation(kind, value, called, NEVER if pending else returned, optional=pending))
    return operations


@given(histories())
def test_the_checker_agrees_with_brute_force(operations: list[Operation]) -> None:
    assert linearizable(operations) == by_brute_force(operations)


def test_both_answers_are_common_in_what_is_tried() -> None:
    answers = []

    @given(histories())
    def collect(operations: list[Operation]) -> None:
        answers.append(linearizable(operations))

    collect()
    assert min(answers.count(True), answers.count(False)) > len(answers) / 10


@pytest.mark.parametrize(
    ("operations", "is_explained"),
    [
        ([Operation("write", 1, 1, 2), Operation("take", 1, 3, 4), Operation("take", EMPTY, 5, 6)], True),
        ([Operation("write", 1, 1, 2), Operation("take", 1, 3, 4), Operation("take", 1, 5, 6)], False),
        ([Operation("write", 1, 1, 2), Operation("write", 2, 3, 4), Operation("read", 1, 5, 6)], False),
        ([Operation("write", 1, 1, 9), Operation("read", 1, 2, 3), Operation("read", EMPTY, 4, 5)], False),
        ([Operation("write", 1, 1, 2), Operation("write", EMPTY, 3, NEVER, True), Operation("read", 1, 5, 6)], True),
        ([Operation("write", 1, 1, 2), Operation("write", EMPTY, 3, NEVER, True), Operation("read", 0, 5, 6)], True),
        ([Operation("read", 7, 1, 2)], False),
    ],
)
def test_by_hand(operations: list[Operation], is_explained: bool) -> None:
    assert linearizable(operations) is is_explained


def folio_seen_as(second: int, called: int) -> History:
    """Slots 0 and 1 hold 1 and 2; a store of 3 and 4 is called at 10, and slot 0 is read as 3 at 13."""
    history = History()
    for slot, value in enumerate((1, 2)):
        history.note(slot, Operation("write", value, 1, 2))
    for slot, value in enumerate((3, 4)):
        history.note(slot, Operation("write", value, 10, 20))
    history.folios += [FolioStore({0: 1, 1: 2}, 1, 2), FolioStore({0: 3, 1: 4}, 10, 20)]
    history.note(0, Operation("read", 3, 12, 13))
    history.note(1, Operation("read", second, called, called + 1))
    return history


@pytest.mark.parametrize(("second", "called", "torn"), [(4, 14, 0), (2, 14, 1), (2, 11, 0), (EMPTY, 14, 0)])
def test_a_folio_is_torn_when_a_page_of_it_was_seen_and_then_an_older_one(second: int, called: int, torn: int) -> None:
    assert len(folio_seen_as(second, called).torn()) == torn


def test_what_no_order_explains_is_told_by_slot() -> None:
    history = History()
    history.note(5, Operation("read", 7, history.tick(), history.tick()))
    history.note(6, Operation("read", EMPTY, history.tick(), history.tick()))
    assert history.unexplained() == [5]
