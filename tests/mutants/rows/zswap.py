"""The compressed store: second chances, the threshold, what is counted as what, and the line under a byte budget."""

from tests.mutants.operators import Drop, Negate, Replace
from tests.mutants.row import Row

SHRINKER = "zswap.paths.shrinker"
WORKER = "zswap.paths.shrink_worker"
COMPRESS = "zswap.paths.compress"
STORE = "zswap.paths.store"
LIMITS = "zswap.limits"
ADMISSION = "zswap.paths.admission"

WRITEBACK = "zswap/test_writeback.py::"
LIMIT = "zswap/test_limits.py::"
LINE = "zswap/test_budget_line.py::"
BUDGET = "zswap/test_byte_budget.py::"
STORED = "zswap/test_store_and_load.py::"

SECOND_CHANCE = WRITEBACK + "test_new_entries_go_to_the_tail_and_a_fresh_one_survives_the_first_visit"
THRESHOLD = LIMIT + "test_full_pools_accept_again_only_at_the_threshold"
TO_THE_THRESHOLD = WRITEBACK + "test_the_worker_empties_full_pools_down_to_the_threshold"
EACH_FAILURE_TICKS = STORED + "test_a_batch_ticks_once_for_each_failing_page_and_stores_nothing"
NONE_REFUSED = LINE + "test_none_of_many_at_once_is_refused"
OLDEST_GONE = BUDGET + "test_the_oldest_pages_are_on_the_device_and_the_newest_in_memory"

ROWS = [
    Row("zswap: a fresh entry has a second chance", SHRINKER, "visit_oldest", Negate("referenced"), [SECOND_CHANCE]),
    Row(
        "zswap: ... and only one",
        SHRINKER,
        "visit_oldest",
        Replace("0", by="1"),
        [SECOND_CHANCE, OLDEST_GONE],
    ),
    Row("zswap: a visited entry goes to the tail", SHRINKER, "visit_oldest", Drop("rotate"), [SECOND_CHANCE]),
    Row(
        "zswap: a failed writeback is counted",
        SHRINKER,
        "visit_oldest",
        Drop("reject_reclaim_fail"),
        [WRITEBACK + "test_a_failed_writeback_keeps_the_page"],
    ),
    Row("zswap: pools are full at their limit", LIMITS, "PoolLimit.reached", Drop("full", 2), [THRESHOLD]),
    Row("zswap: ... and accept again at the threshold", LIMITS, "PoolLimit.reached", Drop("full", 3), [THRESHOLD]),
    Row("zswap: a refusal by the limit is counted", LIMITS, "PoolLimit.reached", Drop("pool_limit_hit"), [THRESHOLD]),
    Row(
        "zswap: a run ends at the threshold",
        WORKER,
        "GlobalShrinker._enough",
        Replace("threshold", by="0", nth=3),
        [TO_THE_THRESHOLD, OLDEST_GONE],
    ),
    Row(
        "zswap: a run gives up after 16 failures",
        WORKER,
        "GlobalShrinker._shrink",
        Replace("0", by="1"),
        [WRITEBACK + "test_the_worker_gives_up_after_16_failures"],
    ),
    Row(
        "zswap: -ENOSPC is a page that compresses poorly",
        COMPRESS,
        "_count_rejects",
        Replace("ENOSPC", by="PAGE_SIZE"),
        [EACH_FAILURE_TICKS],
    ),
    Row(
        "zswap: any other code is a failure",
        COMPRESS,
        "_count_rejects",
        Drop("reject_compress_fail"),
        [EACH_FAILURE_TICKS],
    ),
    Row(
        "zswap: a store that fails takes older entries with it",
        STORE,
        "_forget",
        Drop("remove_range"),
        [STORED + "test_a_failed_store_takes_older_entries_with_it"],
    ),
    Row(
        "budget: a store that finds it used up waits for a run",
        ADMISSION,
        "has_room",
        Negate("is_budget"),
        [NONE_REFUSED, OLDEST_GONE],
    ),
    Row(
        "budget: ... and tries again while runs free enough",
        ADMISSION,
        "has_room",
        Replace("in_vain", by="-1", nth=2),
        [NONE_REFUSED, OLDEST_GONE],
    ),
    Row(
        "budget: those who come later stand behind it",
        ADMISSION,
        "has_room",
        Drop("acquire"),
        [LINE + "test_who_stores_without_pause_does_not_keep_others_waiting"],
    ),
    Row(
        "budget: a run in vain refuses all who are in line",
        ADMISSION,
        "has_room",
        Replace("False", by="True"),
        [LINE + "test_a_device_that_fails_refuses_all_in_line_after_one_run"],
    ),
    Row(
        "budget: a run that clears marks goes on",
        WORKER,
        "GlobalShrinker._evict",
        Replace("EAGAIN", by="EEXIST"),
        [BUDGET + "test_the_oldest_pages_are_on_the_device_and_the_newest_in_memory"],
    ),
    Row(
        "budget: a run goes on for what came meanwhile",
        WORKER,
        "GlobalShrinker._evict",
        Replace("written", by="False", nth=3),
        [LINE + "test_a_run_goes_on_when_stores_under_way_have_added_theirs"],
    ),
    Row(
        "budget: a run has a page to free at least",
        LIMITS,
        "PoolLimit._threshold",
        Negate("is_budget"),
        [LINE + "test_a_threshold_at_the_budget_or_above_it_still_frees_a_page"],
    ),
]
