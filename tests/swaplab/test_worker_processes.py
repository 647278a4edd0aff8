"""Worker processes: answers of all requests, whoever dies or raises; nobody outlives the one who asked."""

import os
import signal
from multiprocessing import active_children

import pytest

from swaplab.experiments.tables import run_each
from swaplab.process_died import ProcessDiedError
from swaplab.worker_processes import in_processes

pytestmark = pytest.mark.slow


def double(number: int) -> int:
    """What a worker does here: doubles, dies of 3, complains about 13, waits for ever with 99."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 13:
        raise ValueError("not that one")
    while number == 99:
        signal.pause()
    return 2 * number


def sigint_blocked(_: int) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_every_request_is_answered_under_its_key() -> None:
    with in_processes(double, zip("abcde", [1, 2, 4, 5, 6], strict=True), workers=2) as answers:
        assert dict(answers) == {"a": 2, "b": 4, "c": 8, "d": 10, "e": 12}
        assert not active_children(), "who has no more to do is not kept"


def test_a_death_costs_one_request_and_the_others_go_on() -> None:
    with in_processes(double, enumerate([3, 1, 3, 2]), workers=1) as answers:
        found = [answer for _, answer in sorted(answers)]
    assert [isinstance(answer, ProcessDiedError) for answer in found] == [True, False, True, False]
    assert found[1::2] == [2, 4]


def test_what_a_request_raises_is_raised_with_its_traceback_and_ends_the_others() -> None:
    processes = in_processes(double, enumerate([99, 13]), workers=2)
    with processes as answers, pytest.raises(ValueError, match="not that one") as raised:
        list(answers)
    assert "in double" in raised.value.__notes__[0]
    assert not active_children()


def test_who_leaves_early_leaves_nobody_behind() -> None:
    with in_processes(double, enumerate([99, 1]), workers=2) as answers:
        assert next(answers) == (1, 2)
    assert not active_children()


def test_ctrl_c_is_for_the_parent_and_nobody_else_however_early_it_comes() -> None:
    with in_processes(sigint_blocked, [("worker", 0)], workers=1) as answers:
        assert dict(answers) == {"worker": True}
    assert not sigint_blocked(0)


def test_a_table_is_in_the_order_of_its_requests_and_not_made_without_one_of_them() -> None:
    steps: list[int] = []
    assert run_each(double, [5, 4, 1], workers=2, ran=lambda: steps.append(1)) == [10, 8, 2]
    assert len(steps) == 3
    with pytest.raises(ProcessDiedError, match="--workers 1 or a smaller --scale needs less"):
        run_each(double, [99, 3], workers=2)
