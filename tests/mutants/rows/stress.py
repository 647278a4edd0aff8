"""Stress: which runs are made, who is accused, what shrinking keeps, and how a finding gets to another process."""

from tests.mutants.operators import Drop, Negate, Swap
from tests.mutants.row import Row

STRESS = "swaplab.stress."

WORLD = "swaplab/stress/test_world.py::"
SHRINK = "swaplab/stress/test_shrink.py::"
EXPLORE = "swaplab/stress/test_explore.py::"
TIMELINE = "swaplab/stress/test_timeline.py::"

ROWS = [
    Row(
        "stress: the cancellation may leave a client through a target that it awaits",
        STRESS + "world",
        "World._over",
        Drop("_strike_who_waits_for"),
        [WORLD + "test_the_cancellation_may_leave_a_client_through_a_target_that_it_awaits"],
    ),
    Row(
        "stress: the cancellation of a neighbour may not leave a client",
        STRESS + "world",
        "World._strike_who_waits_for",
        Negate("awaited"),
        [WORLD + "test_the_cancellation_of_somebody_else_may_not"],
    ),
    Row(
        "stress: a sweep ends, whatever a program remembers",
        STRESS + "plan",
        "sweep_one",
        Swap("takewhile", by="(lambda _, ks: (k for k in ks if k < 99))"),
        [EXPLORE + "test_a_sweep_ends_even_if_each_run_is_longer_than_the_one_before"],
    ),
    Row(
        "stress: what shrinking keeps fails by the same thing",
        STRESS + "shrink",
        "shrink",
        Swap("fails_alike", by="(lambda one, other: bool(other.broken))"),
        [SHRINK + "test_another_failure_is_not_what_is_looked_for"],
    ),
    Row(
        "stress: a cancellation stays where its target was when others are left out",
        STRESS + "shrink",
        "_at_that_time",
        Negate("len"),
        [SHRINK + "test_who_is_cancelled_in_a_crowd_is_found_at_the_same_place_without_it"],
    ),
    Row(
        "stress: a timeline that is folded says how much is left out",
        STRESS + "timeline",
        "_with_gaps",
        Drop("before", 2),
        [TIMELINE + "test_a_long_one_is_folded_around_what_is_noted"],
    ),
    Row(
        "stress: the page escapes what programs call themselves",
        STRESS + "page",
        "_words",
        Swap("escape", by="str"),
        [TIMELINE + "test_the_page_of_a_replay_is_whole"],
    ),
    Row(
        "stress: what we cancel is not told as a cancellation of the program's own",
        STRESS + "recording",
        "_Recorder.cancelled",
        Drop("_cancelled_since"),
        [TIMELINE + "test_what_we_cancel_is_not_said_to_be_sent_by_the_program"],
    ),
    Row(
        "stress: one run that is replayed need not reach each sometimes",
        STRESS + "report",
        "Report.unreached",
        Negate("replayed"),
        [EXPLORE + "test_a_replay_of_what_was_repaired_holds_though_it_does_not_reach_each_sometimes"],
    ),
]
