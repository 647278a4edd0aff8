"""The serial runner: one operation at a time, the result is the last one's."""

from tests.mutants.operators import Add, Drop, Negate, Replace, Swap
from tests.mutants.row import Row

SERIAL = "acomp.runners.serial"

SYNCHRONOUS = "acomp/test_serial.py::TestAllSynchronous::"
ASYNCHRONOUS = "acomp/test_serial.py::TestAsynchronous::"
CANCELLED = "acomp/test_serial.py::TestCancelled::"

IN_ORDER = SYNCHRONOUS + "test_serial_calls_the_head_then_the_members_in_order_of_insertion"
ALL_RESTORED = CANCELLED + "test_what_is_unfinished_ends_as_ecanceled_and_all_is_restored"

ROWS = [
    Row(
        "serial: the head goes first, the members in order", SERIAL, "_SerialRun.__init__", Drop("reverse"), [IN_ORDER]
    ),
    Row(
        "serial: the return is the last operation's code",
        SERIAL,
        "_SerialRun.start",
        Add("result = self._head.base.err", before="_finish"),
        [SYNCHRONOUS + "test_serial_returns_the_last_operations_code"],
    ),
    Row(
        "serial: an error does not stop",
        SERIAL,
        "_SerialRun.start",
        Add("if result: break", before="req", nth=2),
        [SYNCHRONOUS + "test_serial_an_error_stops_nothing"],
    ),
    Row(
        "serial: -EAGAIN is an error like any other",
        SERIAL,
        "_SerialRun.start",
        Replace("PENDING", by="(-11, *PENDING)"),
        [SYNCHRONOUS + "test_eagain_is_an_error_like_any_other"],
    ),
    Row("serial: err is set on each", SERIAL, "_SerialRun._record", Drop("err"), [IN_ORDER]),
    Row("serial: the list is restored", SERIAL, "_SerialRun._record", Drop("append"), [IN_ORDER]),
    Row(
        "serial: the head is not put into its own list",
        SERIAL,
        "_SerialRun._record",
        Replace("self._head", by="(self._head if self._is_async else None)", nth=2),
        ["acomp/test_serial.py::TestWithoutAsyncFlag::test_the_head_is_not_put_into_its_own_list"],
    ),
    Row(
        "serial: a one-element chain records its err",
        SERIAL,
        "_run_single",
        Negate("is_head"),
        ["acomp/test_serial.py::TestNoChain::test_a_one_element_chain_is_one_operation_and_records_its_err"],
    ),
    Row(
        "serial: synchronous chains call nobody",
        SERIAL,
        "_SerialRun.start",
        Add("if self._complete is not None: self._complete(self._data, result)", before="return", nth=2),
        [IN_ORDER],
    ),
    Row(
        "serial: the head's completion and data are restored",
        SERIAL,
        "_SerialRun._finish",
        Drop("complete"),
        [SYNCHRONOUS + "test_the_heads_completion_and_data_are_replaced_during_the_run_and_restored_after_it"],
    ),
    Row(
        "serial: the continuation cuts flags to MAY_BACKLOG",
        SERIAL,
        "_SerialRun._go_on",
        Replace("CRYPTO_TFM_REQ_MAY_BACKLOG", by="ALL_FLAGS"),
        [ASYNCHRONOUS + "test_flags_of_members_are_cut_to_may_backlog_when_a_callback_drives"],
    ),
    Row(
        "serial: a direct call leaves flags",
        SERIAL,
        "_SerialRun.start",
        Replace("ALL_FLAGS", by="CRYPTO_TFM_REQ_MAY_BACKLOG"),
        [SYNCHRONOUS + "test_flags_of_members_are_kept_when_the_runner_was_called_directly"],
    ),
    Row(
        "serial: going asynchronous returns -EBUSY while members are pending",
        SERIAL,
        "_SerialRun._went_async",
        Negate("_pending"),
        [ASYNCHRONOUS + "test_the_code_returned_when_the_run_goes_asynchronous"],
    ),
    Row(
        "serial: notices are swallowed while members are pending",
        SERIAL,
        "_SerialRun._continue",
        Negate("_pending"),
        [ASYNCHRONOUS + "test_serial_notices_are_swallowed_while_members_are_pending_and_forwarded_after"],
    ),
    Row(
        "serial: the original completion is called when the last one is final",
        SERIAL,
        "_SerialRun._continue",
        Negate("_over", 2),
        [ASYNCHRONOUS + "test_serial_async_returns_ebusy_and_callbacks_drive_the_rest"],
    ),
    Row(
        "serial: a failed allocation is -ENOMEM on all",
        SERIAL,
        "acomp_do_req_chain",
        Swap("acomp_chain_members", by="lambda _: ()"),
        ["acomp/test_serial.py::TestAllocationFailure::test_serial_state_allocation_failure_is_enomem_on_all"],
    ),
    Row(
        "serial: a coroutine ends in a final code",
        SERIAL,
        "_final",
        Drop("raise"),
        ["acomp/test_serial.py::TestCoroutines::test_one_that_ends_in_a_pending_code_is_a_protocol_error"],
    ),
    Row("serial: abandoned requests end as -ECANCELED", SERIAL, "_SerialRun.unwind", Drop("err"), [ALL_RESTORED]),
    Row("serial: a cancelled run restores the list", SERIAL, "_SerialRun.unwind", Drop("append"), [ALL_RESTORED]),
]
