"""The compressed store: second chances, the threshold, what is counted as what, and the line under a byte budget."""

from tests.mutants.operators import Drop, Negate, Replace, Swap
from tests.mutants.row import Row

SHRINKER = "zswap.paths.shrinker"
WORKER = "zswap.paths.shrink_worker"
COMPRESS = "zswap.paths.compress"
INTERFACES = "zswap.paths.interfaces"
INVENTORY = "zswap.inventory.inventory"
ENTRIES = "zswap.inventory.entries"
POOL = "zswap.pool.pool"
STORE = "zswap.paths.store"
LIMITS = "zswap.limits"
ADMISSION = "zswap.paths.admission"

WRITEBACK = "zswap/test_writeback.py::"
LIMIT = "zswap/test_limits.py::"
LINE = "zswap/test_budget_line.py::"
BUDGET = "zswap/test_byte_budget.py::"
STORED = "zswap/test_store_and_load.py::"
RAW = "zswap/test_incompressible.py::"
ALIKE = "zswap/test_interfaces.py::"

SECOND_CHANCE = WRITEBACK + "test_new_entries_go_to_the_tail_and_a_fresh_one_survives_the_first_visit"
THRESHOLD = LIMIT + "test_full_pools_accept_again_only_at_the_threshold"
TO_THE_THRESHOLD = WRITEBACK + "test_the_worker_empties_full_pools_down_to_the_threshold"
EACH_FAILURE_TICKS = STORED + "test_a_batch_ticks_once_for_each_failing_page_and_stores_nothing"
NONE_REFUSED = LINE + "test_none_of_many_at_once_is_refused"
STORED_RAW = RAW + "test_check_11_a_page_that_does_not_compress_is_stored_as_it_is_and_the_folio_with_it"
FORBIDDEN = RAW + "test_check_11_where_writeback_is_forbidden_the_folio_is_rejected_as_before"
COUNTED_OUT = RAW + "test_what_replaces_or_forgets_raw_pages_counts_them_out"
LOCKS = ALIKE + "test_check_14_how_often_the_context_is_locked_for_a_folio_of_64_kib"
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
    Row(
        "zswap: a page that does not compress is stored as it is",
        COMPRESS,
        "_with_raw_pages",
        Negate("may_store_raw"),
        [STORED_RAW, FORBIDDEN],
    ),
    Row(
        "zswap: an output as long as a page is none",
        COMPRESS,
        "_all_compressed",
        Replace("PAGE_SIZE", by="2 * PAGE_SIZE"),
        [RAW + "test_an_output_as_long_as_a_page_is_none"],
    ),
    Row(
        "zswap: a page of 4096 bytes is raw with the feature only",
        INVENTORY,
        "Inventory.raw_page",
        Negate("knows_raw"),
        [RAW + "test_without_the_feature_4096_bytes_are_an_output_like_any_other"],
    ),
    Row(
        "zswap: raw pages are counted in", INVENTORY, "Inventory.publish", Drop("raw_pages"), [STORED_RAW, COUNTED_OUT]
    ),
    Row("zswap: ... and out", INVENTORY, "Inventory._free_alike", Drop("raw_pages"), [STORED_RAW, COUNTED_OUT]),
    Row(
        "zswap: entries that cannot be had in bulk are allocated one by one",
        ENTRIES,
        "EntryTable.alloc_bulk",
        Swap("alloc", by="(lambda nr: None)"),
        ["zswap/test_features.py::test_check_15_entries_that_cannot_be_had_in_bulk_are_allocated_one_by_one"],
    ),
    Row(
        "zswap: v8 learns the size of a batch under the lock",
        POOL,
        "Pool.prepare_cpu",
        Negate("pool_tells_size"),
        [LOCKS],
    ),
    Row(
        "zswap: a refusal before any unit ran is that of each",
        INTERFACES,
        "Unit.compress",
        Negate("err", 2),
        [ALIKE + "test_a_request_that_is_refused_before_any_unit_ran_failed_for_all_of_them"],
    ),
    Row(
        "zswap: a single page of an array is a single request",
        INTERFACES,
        "Array.compress",
        Negate("nr"),
        [ALIKE + "test_how_often_the_algorithm_is_called"],
    ),
]
