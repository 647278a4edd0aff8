"""Each rule of the runners, the one-line mutation that breaks it, and the tests that must fail when it is broken.

A mutation is given as the line and what it becomes; it is compiled from the module's own source and swapped in as the
code of the functions it changes, so that everybody sees it, however they imported them. A row whose line has gone from
the source fails, and has to be looked at again.
"""

import asyncio
import gc
import importlib
import inspect
import types
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.acomp import test_chain as chain
from tests.acomp import test_flag_words as flag_words
from tests.acomp import test_parallel as parallel
from tests.acomp import test_requests as request
from tests.acomp import test_serial as serial
from tests.acomp import test_wait as wait

PATIENCE_S = 10.0
"""A mutated runner may wait for ever; a test that hangs has failed, too. The tests of the table do not."""


class Row(NamedTuple):
    """One rule, where it is kept, how it is broken, and who must notice."""

    rule: str
    module: str
    line: str
    becomes: str
    tests: list[Callable[..., Any]]
    arguments: dict[str, Any] = {}  # noqa: RUF012 (never changed)


def of(cls: type, name: str) -> Callable[..., Any]:
    """The test `name` of a test class, to be called without an instance at hand."""

    def call(**arguments: Any) -> Any:
        return getattr(cls(), name)(**arguments)

    call.__name__ = f"{cls.__name__}.{name}"
    assert inspect.isfunction(getattr(cls, name))
    return call


S, P, N, R = parallel.TestSubmission, parallel.TestPolling, parallel.TestNoChain, parallel.TestResult

TABLE = [
    # 3.4
    Row(
        "parallel: the head's submit error stops everything",
        "acomp.runners.parallel",
        "if req is run.head and code and run.is_chain:",
        "if False:",
        [
            of(S, "test_parallel_a_heads_submit_error_stops_everything"),
            of(S, "test_after_a_heads_submit_error_the_members_stay_linked_and_the_data_is_the_drivers"),
        ],
        {"code": -22, "coroutines": False},
    ),
    Row(
        "parallel: ... and is copied to every member",
        "acomp.runners.run",
        "member.base.err = head.base.err",
        "pass",
        [of(S, "test_parallel_a_heads_submit_error_stops_everything")],
        {"code": -22, "coroutines": False},
    ),
    Row(
        "parallel: ... and leaves the members linked",
        "acomp.runners.run",
        "head._members = members",
        "pass",
        [of(S, "test_after_a_heads_submit_error_the_members_stay_linked_and_the_data_is_the_drivers")],
    ),
    Row(
        "parallel: ... and leaves the driver's data",
        "acomp.runners.run",
        "head._members = members",
        "head._members = members; head.base.data = self._data",
        [of(S, "test_after_a_heads_submit_error_the_members_stay_linked_and_the_data_is_the_drivers")],
    ),
    Row(
        "parallel: a head that finished at its submit is no error",
        "acomp.runners.parallel",
        "if req is run.head and code and run.is_chain:",
        "if req is run.head and run.is_chain:",
        [of(S, "test_a_head_that_finished_at_its_submit_is_not_polled")],
    ),
    Row(
        "parallel: -EAGAIN is final at submit",
        "acomp.runners.parallel",
        "if code in PENDING:",
        "if code in PENDING_POLL:",
        [of(S, "test_parallel_a_members_submit_eagain_is_final_and_the_others_complete")],
    ),
    Row(
        "parallel: -EAGAIN is pending at poll",
        "acomp.runners.parallel",
        "if code in PENDING_POLL:",
        "if code in PENDING:",
        [
            of(P, "test_parallel_polls_each_pending_request_once_a_round_the_head_first"),
            of(P, "test_when_only_the_head_is_left_only_the_head_is_polled"),
        ],
        {"coroutines": False},
    ),
    Row(
        "parallel: nothing is polled before the last submit",
        "acomp.runners.parallel",
        "run.open.append(req)",
        "run.open.append(req); await _poll_all(run, poll)",
        [of(S, "test_parallel_submits_all_before_the_first_poll")],
        {"coroutines": False},
    ),
    Row(
        "parallel: the head is submitted first",
        "acomp.runners.parallel",
        "for req in run.unsubmitted:",
        "for req in run.unsubmitted[::-1]:",
        [of(S, "test_parallel_submits_all_before_the_first_poll")],
        {"coroutines": False},
    ),
    Row(
        "parallel: the head is polled first",
        "acomp.runners.parallel",
        "for req in run.open:",
        "for req in run.open[::-1]:",
        [of(P, "test_parallel_polls_each_pending_request_once_a_round_the_head_first")],
        {"coroutines": False},
    ),
    Row(
        "parallel: one poll a round for each",
        "acomp.runners.parallel",
        "still_open.append(req)",
        "still_open.append(req); poll(req)",
        [of(P, "test_parallel_polls_each_pending_request_once_a_round_the_head_first")],
        {"coroutines": False},
    ),
    Row(
        "parallel: a failing member does not stop later submissions",
        "acomp.runners.parallel",
        "if req is run.head and code and run.is_chain:",
        "if code and run.is_chain:",
        [of(S, "test_a_failing_member_does_not_stop_later_submissions")],
        {"failing": 1, "code": -22},
    ),
    Row(
        "parallel: the completion is called",
        "acomp.runners.run",
        "head.base._complete(head.base.data, err)",
        "pass",
        [of(R, "test_parallel_returns_the_heads_err_and_calls_back_once_with_the_original_data")],
    ),
    Row(
        "parallel: the completion is called once",
        "acomp.runners.run",
        "head.base._complete(head.base.data, err)",
        "[head.base._complete(head.base.data, err) for _ in range(2)]",
        [of(R, "test_parallel_returns_the_heads_err_and_calls_back_once_with_the_original_data")],
    ),
    Row(
        "parallel: the completion is the head's only",
        "acomp.runners.run",
        "self.head._members.append(req)\n        if trace",
        "self.head._members.append(req); (req.base._complete or len)(req.base.data, code)\n        if trace",
        [of(R, "test_members_completion_functions_are_never_called_and_their_data_is_the_drivers")],
    ),
    Row(
        "parallel: only an async transform calls back",
        "acomp.runners.run",
        "if self._is_async and head.base._complete is not None:",
        "if head.base._complete is not None:",
        [of(N, "test_one_element_not_opted_in_and_not_async_take_the_single_submit_path")],
        {"case": "not async", "err": 0, "coroutines": False},
    ),
    Row(
        "parallel: the return is the head's",
        "acomp.runners.run",
        "return err",
        "return min([err, *(req.base.err for req in head._members)])",
        [of(R, "test_any_member_may_have_failed_although_zero_is_returned")],
    ),
    Row(
        "parallel: each request has its own err",
        "acomp.runners.run",
        "req.base.err = code\n        if req is not",
        "self.head.base.err = code\n        if req is not",
        [
            of(R, "test_any_member_may_have_failed_although_zero_is_returned"),
            of(R, "test_a_failing_head_does_not_touch_the_members"),
        ],
    ),
    Row(
        "parallel: the list ends in completion order",
        "acomp.runners.run",
        "self.head._members.append(req)\n        if trace",
        "self.head._members.append(req); self.head._members.sort(key=lambda req: req.serial)\n        if trace",
        [of(R, "test_the_list_ends_in_completion_order")],
    ),
    Row(
        "parallel: the head's data is restored",
        "acomp.runners.run",
        "head.base.data = self._data\n        end_run(head)",
        "end_run(head)",
        [
            of(R, "test_parallel_returns_the_heads_err_and_calls_back_once_with_the_original_data"),
            of(S, "test_parallel_a_members_submit_eagain_is_final_and_the_others_complete"),
        ],
    ),
    Row(
        "parallel: only an async transform overlaps",
        "acomp.runners.run",
        "self.is_chain = self._is_async and runs_as_chain(head)",
        "self.is_chain = runs_as_chain(head)",
        [of(N, "test_one_element_not_opted_in_and_not_async_take_the_single_submit_path")],
        {"case": "not async", "err": 0, "coroutines": False},
    ),
    Row(
        "both: only an algorithm that has opted in gets chains",
        "acomp.chain",
        "head.base.flags & CRYPTO_TFM_REQ_CHAIN and head._members and head.tfm.alg.cra_flags & CRYPTO_ALG_REQ_CHAIN",
        "head.base.flags & CRYPTO_TFM_REQ_CHAIN and head._members",
        [
            of(N, "test_one_element_not_opted_in_and_not_async_take_the_single_submit_path"),
            of(serial.TestNoChain, "test_an_algorithm_that_has_not_opted_in_gets_the_head_only"),
        ],
        {"case": "not opted in", "err": 0, "coroutines": False, "flags": 0x80},
    ),
    Row(
        "parallel: relax is awaited between rounds",
        "acomp.runners.parallel",
        "await (asyncio.sleep(0) if relax is None else relax(run.open))",
        "await asyncio.sleep(0)",
        [of(parallel.TestRelax, "test_it_is_awaited_between_rounds_with_the_requests_still_open")],
    ),
    Row(
        "parallel: abandon is called",
        "acomp.runners.run",
        "self._abandon(req)",
        "pass",
        [of(parallel.TestCancelled, "test_abandon_is_called_for_each_request_submitted_and_not_final")],
    ),
    Row(
        "parallel: abandoned requests end as -ECANCELED",
        "acomp.runners.run",
        "req.base.err = -ECANCELED",
        "pass",
        [
            of(parallel.TestCancelled, "test_abandon_is_called_for_each_request_submitted_and_not_final"),
            of(parallel.TestCancelled, "test_during_the_submission_pass_the_rest_is_not_submitted"),
        ],
        {"at": 1},
    ),
    Row(
        "parallel: a cancelled run restores the list",
        "acomp.runners.run",
        "self.head._members.append(req)\n        self.head.base.data",
        "pass\n        self.head.base.data",
        [of(parallel.TestCancelled, "test_abandon_is_called_for_each_request_submitted_and_not_final")],
    ),
    Row(
        "parallel: without abandon requests in flight stay busy",
        "acomp.runners.run",
        'if req.state == "abandoned" and self._abandon is not None:',
        'if req.state == "abandoned":',
        [of(parallel.TestCancelled, "test_without_abandon_requests_in_flight_stay_busy_for_good")],
    ),
    Row(
        "parallel: a cancellation is not swallowed",
        "acomp.runners.parallel",
        "run.unwind()\n        raise",
        "run.unwind()\n        return head.base.err",
        [of(parallel.TestCancelled, "test_abandon_is_called_for_each_request_submitted_and_not_final")],
    ),
    # 3.3
    Row(
        "serial: the head goes first, the members in order",
        "acomp.runners.serial",
        "self._pending.reverse()",
        "pass",
        [of(serial.TestAllSynchronous, "test_serial_calls_the_head_then_the_members_in_order_of_insertion")],
    ),
    Row(
        "serial: the return is the last operation's code",
        "acomp.runners.serial",
        "self._finish()\n        return result\n\n    def _continue",
        "self._finish()\n        return self._head.base.err\n\n    def _continue",
        [of(serial.TestAllSynchronous, "test_serial_returns_the_last_operations_code")],
    ),
    Row(
        "serial: an error does not stop",
        "acomp.runners.serial",
        "req = self._next(ALL_FLAGS)",
        "req = self._next(ALL_FLAGS) if not result else None",
        [of(serial.TestAllSynchronous, "test_serial_an_error_stops_nothing")],
        {"failing": 1},
    ),
    Row(
        "serial: -EAGAIN is an error like any other",
        "acomp.runners.serial",
        "if result in PENDING:\n                return self._went_async(result)",
        "if result in (-11, *PENDING):\n                return self._went_async(result)",
        [of(serial.TestAllSynchronous, "test_eagain_is_an_error_like_any_other")],
    ),
    Row(
        "serial: err is set on each",
        "acomp.runners.serial",
        "req.base.err = code\n        if",
        "if",
        [of(serial.TestAllSynchronous, "test_serial_calls_the_head_then_the_members_in_order_of_insertion")],
    ),
    Row(
        "serial: the list is restored",
        "acomp.runners.serial",
        "self._head._members.append(req)\n\n    def _next",
        "pass\n\n    def _next",
        [of(serial.TestAllSynchronous, "test_serial_calls_the_head_then_the_members_in_order_of_insertion")],
    ),
    Row(
        "serial: the head is not put into its own list (Q1)",
        "acomp.runners.serial",
        "if req is not self._head:\n            self._head._members.append(req)\n\n",
        "if not self._is_async or req is not self._head:\n            self._head._members.append(req)\n\n",
        [of(serial.TestWithoutAsyncFlag, "test_the_head_is_not_put_into_its_own_list")],
    ),
    Row(
        "serial: a one-element chain records its err (Q3)",
        "acomp.runners.serial",
        "if is_head and result not in PENDING:",
        "if False:",
        [of(serial.TestNoChain, "test_a_one_element_chain_is_one_operation_and_records_its_err")],
        {"code": 0},
    ),
    Row(
        "serial: synchronous chains call nobody",
        "acomp.runners.serial",
        "self._finish()\n        return result\n\n    def _continue",
        "self._finish(); (self._complete or len)(self._data, result)\n        return result\n\n    def _continue",
        [of(serial.TestAllSynchronous, "test_serial_calls_the_head_then_the_members_in_order_of_insertion")],
    ),
    Row(
        "serial: the head's completion and data are restored",
        "acomp.runners.serial",
        "head.base.complete, head.base.data = self._complete, self._data",
        "pass",
        [
            of(
                serial.TestAllSynchronous,
                "test_the_heads_completion_and_data_are_replaced_during_the_run_and_restored_after_it",
            )
        ],
    ),
    Row(
        "serial: the continuation cuts flags to MAY_BACKLOG",
        "acomp.runners.serial",
        "while (req := self._next(CRYPTO_TFM_REQ_MAY_BACKLOG)) is not None:",
        "while (req := self._next(ALL_FLAGS)) is not None:",
        [of(serial.TestAsynchronous, "test_flags_of_members_are_cut_to_may_backlog_when_a_callback_drives")],
    ),
    Row(
        "serial: a direct call leaves flags",
        "acomp.runners.serial",
        "req = self._next(ALL_FLAGS)",
        "req = self._next(CRYPTO_TFM_REQ_MAY_BACKLOG)",
        [of(serial.TestAllSynchronous, "test_flags_of_members_are_kept_when_the_runner_was_called_directly")],
    ),
    Row(
        "serial: going asynchronous returns -EBUSY while members are pending",
        "acomp.runners.serial",
        "if self._current is self._head or self._pending:",
        "if self._current is self._head:",
        [of(serial.TestAsynchronous, "test_the_code_returned_when_the_run_goes_asynchronous")],
        {"codes": {1: -115}, "result": -16},
    ),
    Row(
        "serial: notices are swallowed while members are pending",
        "acomp.runners.serial",
        "if not self._pending and self._complete is not None:",
        "if self._complete is not None:",
        [
            of(
                serial.TestAsynchronous,
                "test_serial_notices_are_swallowed_while_members_are_pending_and_forwarded_after",
            )
        ],
    ),
    Row(
        "serial: the original completion is called when the last one is final",
        "acomp.runners.serial",
        "if self._complete is not None and (self._over or result == -EINPROGRESS):",
        "if self._complete is not None and result == -EINPROGRESS:",
        [of(serial.TestAsynchronous, "test_serial_async_returns_ebusy_and_callbacks_drive_the_rest")],
        {"pending": -16},
    ),
    Row(
        "serial: a failed allocation is -ENOMEM on all",
        "acomp.runners.serial",
        "for req in (head, *head._members):",
        "for req in (head,):",
        [of(serial.TestAllocationFailure, "test_serial_state_allocation_failure_is_enomem_on_all")],
    ),
    Row(
        "serial: a coroutine ends in a final code",
        "acomp.runners.serial",
        "if result in PENDING:\n        raise",
        "if False:\n        raise",
        [of(serial.TestCoroutines, "test_one_that_ends_in_a_pending_code_is_a_protocol_error")],
        {"pending": -115, "at": 1},
    ),
    Row(
        "serial: abandoned requests end as -ECANCELED",
        "acomp.runners.serial",
        "req.base.err = code\n            if req is not self._head:",
        "if req is not self._head:",
        [of(serial.TestCancelled, "test_what_is_unfinished_ends_as_ecanceled_and_all_is_restored")],
        {"at": 1},
    ),
    Row(
        "serial: a cancelled run restores the list",
        "acomp.runners.serial",
        "self._head._members.append(req)\n        self._finish()",
        "pass\n        self._finish()",
        [of(serial.TestCancelled, "test_what_is_unfinished_ends_as_ecanceled_and_all_is_restored")],
        {"at": 1},
    ),
    # 3.2 and 2.2
    Row(
        "chain: clear re-arms the wait",
        "acomp.chain",
        "wait.reinit()",
        "pass",
        [
            of(chain.TestClear, "test_chain_clear_turns_the_bit_off_restores_the_callback_and_re_arms_the_wait"),
            of(chain.TestClear, "test_what_is_no_chain_may_be_cleared"),
        ],
    ),
    Row(
        "chain: clear gives MAY_BACKLOG back",
        "acomp.chain",
        "acomp_request_set_callback(head, CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, wait)",
        "acomp_request_set_callback(head, 0, crypto_req_done, wait)",
        [flag_words.test_flags_of_a_head_during_and_after_a_batch],
    ),
    Row(
        "chain: members are appended in order",
        "acomp.chain",
        "head._members.append(req)",
        "head._members.insert(0, req)",
        [
            of(chain.TestChain, "test_appends_to_the_tail_in_order"),
            of(S, "test_parallel_submits_all_before_the_first_poll"),
        ],
        {"coroutines": False},
    ),
    Row(
        "chain: err starts as -EINPROGRESS",
        "acomp.chain",
        "base.err = -EINPROGRESS\n    req._head",
        "req._head",
        [of(chain.TestChain, "test_sets_the_err_and_touches_nothing_else")],
    ),
    Row(
        "chain: members carry no CHAIN bit",
        "acomp.chain",
        "req._head = head\n    head._members",
        "req._head = head; req.base.flags |= CRYPTO_TFM_REQ_CHAIN\n    head._members",
        [
            of(chain.TestChain, "test_sets_the_err_and_touches_nothing_else"),
            of(chain.TestIsReqchain, "test_only_heads_are"),
        ],
    ),
    Row(
        "chain: what a job still holds is not run",
        "acomp.chain",
        'member.check_idle("run")',
        "pass",
        [of(chain.TestWhileItRuns, "test_a_chain_with_a_member_that_a_job_still_holds_is_not_run")],
        {"serial": False},
    ),
    Row(
        "wait: a final code does not touch the completion",
        "acomp.wait",
        "if wait is None or result not in (-EINPROGRESS, -EBUSY):",
        "if wait is not None: wait.reinit()\n    if wait is None or result not in (-EINPROGRESS, -EBUSY):",
        [
            of(wait.TestFinalCodes, "test_do_not_consume_a_counted_completion"),
            of(R, "test_a_final_code_comes_back_from_the_wait_at_once_and_the_completion_stays_counted"),
        ],
    ),
    Row(
        "wait: the backlog notice is ignored",
        "acomp.wait",
        "if err == -EINPROGRESS:",
        "if False:",
        [of(wait.TestCompletion, "test_the_backlog_notice_is_ignored")],
    ),
    Row(
        "wait: it is re-armed after a wait",
        "acomp.wait",
        "self._done = False\n        return self.err",
        "return self.err",
        [of(wait.TestPendingCodes, "test_the_wait_is_re_armed_afterwards")],
        {"pending": -115},
    ),
    Row(
        "wait: the completion of a lost waiter is discarded",
        "acomp.wait",
        "self._orphans += 1",
        "pass",
        [of(wait.TestCancelledWaiter, "test_while_waiting_its_completion_is_discarded_when_it_comes")],
    ),
    # 2.1, the two flag words
    Row(
        "flags: ALLOC_OUTPUT goes to the acomp word",
        "acomp.request",
        "req.flags |= CRYPTO_ACOMP_ALLOC_OUTPUT",
        "req.base.flags |= CRYPTO_ACOMP_ALLOC_OUTPUT",
        [
            flag_words.test_set_params_sets_alloc_output_iff_there_is_no_destination,
            flag_words.test_set_params_leaves_poll_and_the_generic_word_alone,
        ],
    ),
    Row(
        "flags: POLL survives set_params",
        "acomp.request",
        "req.flags &= NO_ALLOC_OUTPUT",
        "req.flags = 0",
        [flag_words.test_set_params_leaves_poll_and_the_generic_word_alone],
    ),
    Row(
        "flags: set_callback leaves the acomp word alone",
        "acomp.request",
        "base.complete = compl\n",
        "base.complete = compl; req.flags = base.flags & 3\n",
        [
            flag_words.test_set_callback_leaves_the_acomp_word_alone,
            flag_words.test_building_and_ending_a_chain_never_touches_the_acomp_word,
        ],
    ),
    Row(
        "flags: of the old generic word one bit survives",
        "acomp.request",
        "kept = base.flags & CRYPTO_ACOMP_ALLOC_OUTPUT",
        "kept = base.flags & 3",
        [flag_words.test_set_callback_keeps_only_the_alloc_output_bit_of_the_old_generic_word],
        {"old": 2, "flags": 0},
    ),
    Row(
        "flags: set_callback always clears CHAIN",
        "acomp.request",
        "base.flags = (kept | flags & ~CRYPTO_ACOMP_ALLOC_OUTPUT) & ~CRYPTO_TFM_REQ_CHAIN",
        "base.flags = kept | flags & ~CRYPTO_ACOMP_ALLOC_OUTPUT",
        [flag_words.test_set_callback_always_clears_chain],
    ),
    # design.md
    Row(
        "a request in a coroutine is busy",
        "acomp.entry",
        "req.begin()\n    turn",
        "turn",
        [of(request.TestBusy, "test_in_flight_in_a_coroutine")],
        {"use": "free"},
    ),
    Row(
        "nothing has begun until a coroutine is awaited",
        "acomp.entry",
        "return _own(req, code)",
        "return __import__('asyncio').ensure_future(_own(req, code))",
        [of(request.TestBusy, "test_nothing_has_begun_until_a_coroutine_is_awaited")],
    ),
]


def codes_of(namespace: dict[str, Any], module: str) -> Iterator[tuple[str, types.FunctionType]]:
    """Every function that `module` itself defines, methods and properties included, by qualified name."""
    for value in list(namespace.values()):
        members = [value]
        if inspect.isclass(value) and value.__module__ == module:
            members = [
                part
                for member in vars(value).values()
                for part in (member, getattr(member, "fget", None), getattr(member, "fset", None))
            ]
        for member in members:
            if isinstance(member, types.FunctionType) and member.__module__ == module:
                yield member.__qualname__, member


def mutate(patch: pytest.MonkeyPatch, row: Row) -> None:
    """Swap in the code of the functions that the row's line belongs to."""
    module = importlib.import_module(row.module)
    source = inspect.getsource(module)
    assert source.count(row.line) == 1, f"{row.line!r} is {source.count(row.line)} times in {row.module}: see the row"
    mutant = dict(vars(module))
    with pytest.MonkeyPatch.context() as quiet:  # a module's own declarations would be taken for second ones
        quiet.setattr("acomp.fault._points", {})
        exec(compile(source.replace(row.line, row.becomes), f"<mutant of {row.module}>", "exec"), mutant)
    changed = dict(codes_of(mutant, row.module))
    before = {name: function for name, function in codes_of(vars(module), row.module) if name in changed}
    swapped = 0
    for name, function in before.items():
        code = changed[name].__code__.replace(
            co_filename=function.__code__.co_filename, co_firstlineno=function.__code__.co_firstlineno
        )
        if (code.co_code, code.co_consts, code.co_names) != (
            function.__code__.co_code,
            function.__code__.co_consts,
            function.__code__.co_names,
        ):
            patch.setattr(function, "__code__", code)
            swapped += 1
    assert swapped, "the mutation changes nothing"


def call(test: Callable[..., Any], row: Row) -> None:
    """Run one test as pytest would, with those of the row's arguments that it takes, on a loop of its own."""
    method = test
    if test.__closure__:  # made by `of`
        cells = dict(zip(test.__code__.co_freevars, (cell.cell_contents for cell in test.__closure__), strict=True))
        method = getattr(cells["cls"], cells["name"])
    wanted = inspect.signature(method).parameters
    arguments = {name: value for name, value in row.arguments.items() if name in wanted}

    async def bounded(outcome: Awaitable[object]) -> None:
        await asyncio.wait_for(outcome, PATIENCE_S)

    outcome = test(**arguments)
    if inspect.isawaitable(outcome):
        asyncio.run(bounded(outcome))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.rule.replace(" ", "-"))
def test_breaking_the_rule_fails_these_tests(row: Row) -> None:
    assert row.tests
    for test in row.tests:
        call(test, row)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a failing test leaves unawaited is not the matter here
            mutate(patch, row)
            try:
                call(test, row)
            except (Exception, pytest.fail.Exception):
                pass
            else:
                pytest.fail(f"{test.__name__} passes although this is broken: {row.rule}")
            gc.collect()
        call(test, row)


def test_a_mutation_that_changes_nothing_is_noticed() -> None:
    row = Row("none", "acomp.wait", "self._orphans += 1", "self._orphans += 1  # a comment", [])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(AssertionError, match="changes nothing"):
        mutate(patch, row)


def test_a_row_whose_line_has_gone_is_noticed() -> None:
    row = Row("none", "acomp.wait", "no such line", "", [])
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(AssertionError, match="is 0 times in"),
    ):
        mutate(patch, row)


def test_rules_are_told_apart() -> None:
    rules = [row.rule for row in TABLE]
    assert len(set(rules)) == len(rules)
    assert len({(row.module, row.line, row.becomes) for row in TABLE}) == len(TABLE)
