"""The parallel runner: submit all, poll in rounds, the result is the head's."""

from tests.mutants.operators import Add, Drop, Negate, Replace
from tests.mutants.row import Row

PARALLEL = "acomp.runners.parallel"
RUN = "acomp.runners.run"

SUBMISSION = "acomp/test_parallel.py::TestSubmission::"
POLLING = "acomp/test_parallel.py::TestPolling::"
NO_CHAIN = "acomp/test_parallel.py::TestNoChain::"
RESULT = "acomp/test_parallel.py::TestResult::"
CANCELLED = "acomp/test_parallel.py::TestCancelled::"

STOPS = SUBMISSION + "test_parallel_a_heads_submit_error_stops_everything"
STAY_LINKED = SUBMISSION + "test_after_a_heads_submit_error_the_members_stay_linked_and_the_data_is_the_drivers"
EAGAIN_IS_FINAL = SUBMISSION + "test_parallel_a_members_submit_eagain_is_final_and_the_others_complete"
SUBMITS_ALL_FIRST = SUBMISSION + "test_parallel_submits_all_before_the_first_poll"
POLLS_EACH_ONCE = POLLING + "test_parallel_polls_each_pending_request_once_a_round_the_head_first"
CALLS_BACK_ONCE = RESULT + "test_parallel_returns_the_heads_err_and_calls_back_once_with_the_original_data"
SINGLE_SUBMIT = NO_CHAIN + "test_one_element_not_opted_in_and_not_async_take_the_single_submit_path"
ABANDONS = CANCELLED + "test_abandon_is_called_for_each_request_submitted_and_not_final"

ROWS = [
    Row(
        "parallel: the head's submit error stops everything",
        PARALLEL,
        "_submit_all",
        Negate("is_chain"),
        [STOPS, STAY_LINKED],
    ),
    Row("parallel: ... and is copied to every member", RUN, "Run.reject", Drop("err"), [STOPS]),
    Row("parallel: ... and leaves the members linked", RUN, "Run.reject", Drop("restored"), [STAY_LINKED]),
    Row(
        "parallel: ... and leaves the driver's data",
        RUN,
        "Run.reject",
        Add("head.base.data = self._data", before="end_run"),
        [STAY_LINKED],
    ),
    Row(
        "parallel: a head that finished at its submit is no error",
        PARALLEL,
        "_submit_all",
        Negate("code", 4),
        [SUBMISSION + "test_a_head_that_finished_at_its_submit_is_not_polled"],
    ),
    Row(
        "parallel: -EAGAIN is final at submit",
        PARALLEL,
        "_submit_all",
        Replace("PENDING", by="PENDING_POLL"),
        [EAGAIN_IS_FINAL],
    ),
    Row(
        "parallel: -EAGAIN is pending at poll",
        PARALLEL,
        "_poll_all",
        Replace("PENDING_POLL", by="PENDING"),
        [POLLS_EACH_ONCE, POLLING + "test_when_only_the_head_is_left_only_the_head_is_polled"],
    ),
    Row(
        "parallel: nothing is polled before the last submit",
        PARALLEL,
        "acomp_do_async_req_chain",
        Replace("op_submit", by="lambda req: (op_submit(req), [op_poll(pending) for pending in run.open])[0]"),
        [SUBMITS_ALL_FIRST],
    ),
    Row(
        "parallel: the head is submitted first",
        PARALLEL,
        "_submit_all",
        Replace("run.unsubmitted", by="run.unsubmitted[::-1]"),
        [SUBMITS_ALL_FIRST],
    ),
    Row(
        "parallel: the head is polled first",
        PARALLEL,
        "_poll_all",
        Replace("run.open", by="run.open[::-1]"),
        [POLLS_EACH_ONCE],
    ),
    Row("parallel: one poll a round for each", PARALLEL, "_poll_all", Add("poll(req)", "append"), [POLLS_EACH_ONCE]),
    Row(
        "parallel: a failing member does not stop later submissions",
        PARALLEL,
        "_submit_all",
        Negate("head", 2),
        [SUBMISSION + "test_a_failing_member_does_not_stop_later_submissions"],
    ),
    Row("parallel: the completion is called", RUN, "Run.finish", Drop("completion"), [CALLS_BACK_ONCE]),
    Row(
        "parallel: the completion is called once",
        RUN,
        "Run.finish",
        Add("head.base.completion(head.base.data, err)", before="completion"),
        [CALLS_BACK_ONCE],
    ),
    Row(
        "parallel: the completion is the head's only",
        RUN,
        "Run.record",
        Add("if req.base.completion is not None: req.base.completion(req.base.data, code)", before="append"),
        [RESULT + "test_members_completion_functions_are_never_called_and_their_data_is_the_drivers"],
    ),
    Row(
        "parallel: only an async transform calls back",
        RUN,
        "Run.finish",
        Negate("_is_async"),
        [SINGLE_SUBMIT + "[not async]"],
    ),
    Row(
        "parallel: the return is the head's",
        RUN,
        "Run.finish",
        Add("err = min([err, *(req.base.err for req in head.chain.members)])", before="return"),
        [RESULT + "test_any_member_may_have_failed_although_zero_is_returned"],
    ),
    Row(
        "parallel: each request has its own err",
        RUN,
        "Run.record",
        Replace("req.base", by="self.head.base"),
        [
            RESULT + "test_any_member_may_have_failed_although_zero_is_returned",
            RESULT + "test_a_failing_head_does_not_touch_the_members",
        ],
    ),
    Row(
        "parallel: the list ends in completion order",
        RUN,
        "Run.record",
        Add("self.head.chain and self.head.chain.members.sort(key=lambda req: req.serial)", before="if", nth=3),
        [RESULT + "test_the_list_ends_in_completion_order"],
    ),
    Row("parallel: the head's data is restored", RUN, "Run.finish", Drop("data"), [CALLS_BACK_ONCE, EAGAIN_IS_FINAL]),
    Row(
        "parallel: only an async transform overlaps",
        RUN,
        "Run.__init__",
        Negate("_is_async"),
        [SINGLE_SUBMIT + "[not async]"],
    ),
    Row(
        "both: only an algorithm that has opted in gets chains",
        "acomp.chain",
        "runs_as_chain",
        Negate("CRYPTO_ALG_REQ_CHAIN"),
        [
            SINGLE_SUBMIT + "[not opted in]",
            "acomp/test_serial.py::TestNoChain::test_an_algorithm_that_has_not_opted_in_gets_the_head_only",
        ],
    ),
    Row(
        "parallel: relax is awaited between rounds",
        PARALLEL,
        "acomp_do_async_req_chain",
        Negate("relax"),
        ["acomp/test_parallel.py::TestRelax::test_it_is_awaited_between_rounds_with_the_requests_still_open"],
    ),
    Row("parallel: abandon is called", RUN, "Run.unwind", Drop("_abandon"), [ABANDONS]),
    Row(
        "parallel: abandoned requests end as -ECANCELED",
        RUN,
        "Run.unwind",
        Drop("err"),
        [ABANDONS, CANCELLED + "test_during_the_submission_pass_the_rest_is_not_submitted"],
    ),
    Row("parallel: a cancelled run restores the list", RUN, "Run.unwind", Drop("append"), [ABANDONS]),
    Row(
        "parallel: without abandon requests in flight stay busy",
        RUN,
        "Run.unwind",
        Negate("_abandon", 2),
        [CANCELLED + "test_without_abandon_requests_in_flight_stay_busy_for_good"],
    ),
    Row(
        "parallel: a cancellation is not swallowed",
        PARALLEL,
        "acomp_do_async_req_chain",
        Add("return head.base.err", before="raise"),
        [ABANDONS],
    ),
]
