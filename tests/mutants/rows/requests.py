"""Requests, their two flag words, chains and waits: the rules that hold whichever runner drives."""

from tests.mutants.operators import Add, Drop, Replace, Swap
from tests.mutants.row import Row

CHAIN = "acomp.chain"
ENTRY = "acomp.entry"
PARAMETERS = "acomp.parameters"
WAIT = "acomp.wait"

IN_CHAIN = "acomp/test_chain.py::TestChain::"
CLEAR = "acomp/test_chain.py::TestClear::"
FLAG_WORDS = "acomp/test_flag_words.py::"
BUSY = "acomp/test_requests.py::TestBusy::"
AWAITED = "acomp/test_wait.py::"

NOTHING_ELSE_TOUCHED = IN_CHAIN + "test_sets_the_err_and_touches_nothing_else"
POLL_LEFT_ALONE = FLAG_WORDS + "test_set_params_leaves_poll_and_the_generic_word_alone"

ROWS = [
    Row(
        "chain: clear re-arms the wait",
        CHAIN,
        "acomp_reqchain_clear",
        Drop("reinit"),
        [
            CLEAR + "test_chain_clear_turns_the_bit_off_restores_the_callback_and_re_arms_the_wait",
            CLEAR + "test_what_is_no_chain_may_be_cleared",
        ],
    ),
    Row(
        "chain: clear gives MAY_BACKLOG back",
        CHAIN,
        "acomp_reqchain_clear",
        Replace("CRYPTO_TFM_REQ_MAY_BACKLOG", by="0", nth=2),
        [FLAG_WORDS + "test_flags_of_a_head_during_and_after_a_batch"],
    ),
    Row(
        "chain: members are appended in order",
        CHAIN,
        "acomp_request_chain",
        Swap("append", by="lambda req: chain.members.insert(0, req)"),
        [
            IN_CHAIN + "test_appends_to_the_tail_in_order",
            "acomp/test_parallel.py::TestSubmission::test_parallel_submits_all_before_the_first_poll",
        ],
    ),
    Row("chain: err starts as -EINPROGRESS", CHAIN, "acomp_request_chain", Drop("err"), [NOTHING_ELSE_TOUCHED]),
    Row(
        "chain: members carry no CHAIN bit",
        CHAIN,
        "acomp_request_chain",
        Add("base.flags |= CRYPTO_TFM_REQ_CHAIN", before="append"),
        [NOTHING_ELSE_TOUCHED, "acomp/test_chain.py::TestIsReqchain::test_only_heads_are"],
    ),
    Row(
        "chain: what a job still holds is not run",
        CHAIN,
        "begin_run",
        Drop("check_idle", 3),
        ["acomp/test_chain.py::TestWhileItRuns::test_a_chain_with_a_member_that_a_job_still_holds_is_not_run"],
    ),
    Row(
        "wait: a final code does not touch the completion",
        WAIT,
        "crypto_wait_req",
        Add("if wait is not None: wait.reinit()", before="if"),
        [
            AWAITED + "TestFinalCodes::test_do_not_consume_a_counted_completion",
            "acomp/test_parallel.py::TestResult::"
            "test_a_final_code_comes_back_from_the_wait_at_once_and_the_completion_stays_counted",
        ],
    ),
    Row(
        "wait: the backlog notice is ignored",
        WAIT,
        "crypto_req_done",
        Drop("return"),
        [AWAITED + "TestCompletion::test_the_backlog_notice_is_ignored"],
    ),
    Row(
        "wait: it is re-armed after a wait",
        WAIT,
        "CryptoWait._wait",
        Drop("_done", 2),
        [AWAITED + "TestPendingCodes::test_the_wait_is_re_armed_afterwards"],
    ),
    Row(
        "wait: the completion of a lost waiter is discarded",
        WAIT,
        "CryptoWait._wait",
        Drop("_orphans"),
        [AWAITED + "TestCancelledWaiter::test_while_waiting_its_completion_is_discarded_when_it_comes"],
    ),
    Row(
        "flags: ALLOC_OUTPUT goes to the acomp word",
        PARAMETERS,
        "acomp_request_set_params",
        Replace("req.flags", by="req.base.flags"),
        [FLAG_WORDS + "test_set_params_sets_alloc_output_iff_there_is_no_destination", POLL_LEFT_ALONE],
    ),
    Row(
        "flags: POLL survives set_params",
        PARAMETERS,
        "acomp_request_set_params",
        Replace("NO_ALLOC_OUTPUT", by="0"),
        [POLL_LEFT_ALONE],
    ),
    Row(
        "flags: set_callback leaves the acomp word alone",
        PARAMETERS,
        "acomp_request_set_callback",
        Add("req.flags = base.flags & 3", before="data"),
        [
            FLAG_WORDS + "test_set_callback_leaves_the_acomp_word_alone",
            FLAG_WORDS + "test_building_and_ending_a_chain_never_touches_the_acomp_word",
        ],
    ),
    Row(
        "flags: of the old generic word one bit survives",
        PARAMETERS,
        "acomp_request_set_callback",
        Replace("CRYPTO_ACOMP_ALLOC_OUTPUT", by="3"),
        [FLAG_WORDS + "test_set_callback_keeps_only_the_alloc_output_bit_of_the_old_generic_word"],
    ),
    Row(
        "flags: set_callback always clears CHAIN",
        PARAMETERS,
        "acomp_request_set_callback",
        Replace("CRYPTO_TFM_REQ_CHAIN", by="0"),
        [FLAG_WORDS + "test_set_callback_always_clears_chain"],
    ),
    Row(
        "a request in a coroutine is busy",
        ENTRY,
        "_own",
        Drop("begin"),
        [BUSY + "test_in_flight_in_a_coroutine"],
    ),
    Row(
        "nothing has begun until a coroutine is awaited",
        ENTRY,
        "_enter",
        Swap("_own", by="lambda *args: __import__('asyncio').ensure_future(_own(*args))"),
        [BUSY + "test_nothing_has_begun_until_a_coroutine_is_awaited"],
    ),
]
