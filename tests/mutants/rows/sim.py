"""Virtual time: what is due in which order, and what a number of seconds is in nanoseconds."""

from tests.mutants.operators import Drop, Negate, Replace, Swap
from tests.mutants.row import Row

SCHEDULE = "swaplab.sim.schedule"

CLOCK = "swaplab/sim/test_clock.py::"
ORDER = "swaplab/sim/test_order.py::"

ROUNDS = CLOCK + "test_delays_round_half_even_but_never_to_nothing"
TIMES_ROUND = CLOCK + "test_times_round_half_even_and_only_the_past_is_now"
TIES = ORDER + "test_ties_are_served_in_the_order_of_asking"

ROWS = [
    Row(
        "sim: a delay is a nanosecond at least",
        SCHEDULE,
        "Schedule.call_later",
        Replace("1", by="0"),
        [ROUNDS],
    ),
    Row(
        "sim: a time later than now never comes now",
        SCHEDULE,
        "Schedule.call_at",
        Drop("when_ns", 2),
        [TIMES_ROUND],
    ),
    Row(
        "sim: ties are served in the order of asking",
        SCHEDULE,
        "Schedule._call_at",
        Swap("_next_serial", by="(lambda: -self._next_serial())"),
        [TIES],
    ),
    Row(
        "sim: what is due now stands in line",
        SCHEDULE,
        "Schedule._call_at",
        Swap("append", by="self._ready.appendleft"),
        [ORDER + "test_a_timer_for_now_stands_in_line"],
    ),
    Row(
        "sim: a time beyond the clock is never",
        SCHEDULE,
        "Schedule._call_at",
        Negate("NEVER"),
        [CLOCK + "test_a_time_beyond_the_clock_is_never"],
    ),
    Row(
        "sim: sleepers stand in line with timers",
        SCHEDULE,
        "Schedule.schedule",
        Swap("_next_serial", by="(lambda: -self._next_serial())"),
        ["swaplab/sim/test_sleep.py::test_it_stands_in_line_with_timers"],
    ),
    Row(
        "sim: timeouts that did not happen leave the heap",
        SCHEDULE,
        "Schedule._timer_handle_cancelled",
        Drop("_timers_cancelled"),
        [CLOCK + "test_timeouts_that_did_not_happen_do_not_pile_up"],
    ),
    Row(
        "sim: pending timers are listed in their order",
        SCHEDULE,
        "Schedule.timers",
        Swap("sorted", by="reversed"),
        [CLOCK + "test_pending_timers_are_listed_in_their_order"],
    ),
]
