"""The accelerator: which queue a job goes to, who owns a descriptor slot, what is counted."""

from tests.mutants.operators import Add, Drop, Replace, Swap
from tests.mutants.row import Row

MAPPING = "iaa_emulator.driver.mapping"
SLOTS = "iaa_emulator.hardware.descriptor_slots"
STATISTICS = "iaa_emulator.driver.statistics"

MAPPED = "iaa_emulator/test_mapping.py::"
ALLOCATED = "iaa_emulator/test_allocation.py::"
COUNTED = "iaa_emulator/test_statistics.py::"

TURNS = MAPPED + "test_with_two_queues_each_job_goes_to_the_next_device_from_the_nearest_on"
CONSECUTIVE = MAPPED + "test_consecutive_jobs_stay_on_one_queue"
ALL_SLOTS = ALLOCATED + "test_sixteen_chains_hold_all_slots_and_the_other_heads_end_in_eagain"
FIRST_COME = ALLOCATED + "test_first_come_first_served"
TEXTS = COUNTED + "test_the_debugfs_texts_and_the_reset"
RETIRED = COUNTED + "test_removing_a_queue_discards_its_counters_and_the_global_ones_survive"

ROWS = [
    Row(
        "mapping: siblings are mapped like their cores",
        MAPPING,
        "package_cpu_to_device",
        Replace("topology.cores_per_package", by="topology.nr_cpus"),
        [MAPPED + "test_siblings_are_mapped_like_their_cores"],
    ),
    Row(
        "mapping: each package begins at its own devices",
        MAPPING,
        "package_cpu_to_device",
        Replace("first", by="0", nth=2),
        [MAPPED + "test_eight_devices_serve_fourteen_cores_each_and_their_siblings"],
    ),
    Row(
        "mapping: the base gives every node a new device",
        MAPPING,
        "base_cpu_to_device",
        Replace("position", by="cpu", nth=2),
        [MAPPED + "test_more_nodes_than_packages_over_subscribe_the_first_device"],
    ),
    Row(
        "mapping: the first of two jobs goes to the second queue",
        MAPPING,
        "WqTables._point_cpus",
        Swap("cycle", by="(lambda turned: __import__('itertools').cycle(turned[-1:] + turned[:-1]))"),
        [MAPPED + "test_the_first_of_two_jobs_goes_to_the_second_queue"],
    ),
    Row(
        "mapping: so many jobs in a row go to one global queue",
        MAPPING,
        "WqTables.next_for_compress",
        Drop("consecutive", 2),
        [CONSECUTIVE],
    ),
    Row(
        "mapping: ... and the next ones to the next",
        MAPPING,
        "WqTables.next_for_compress",
        Drop("package_cursor"),
        [CONSECUTIVE, TURNS],
    ),
    Row(
        "mapping: a rebalance keeps the count of consecutive jobs",
        MAPPING,
        "WqTables._fill_packages",
        Add("entry.consecutive = 0", before="package_cursor"),
        [MAPPED + "test_a_rebalance_resets_cursors_but_not_the_consecutive_count"],
    ),
    Row(
        "mapping: a device that lost its local queues is split afresh",
        MAPPING,
        "WqTables._split",
        Drop("mapped"),
        [MAPPED + "test_a_removed_queue_leaves_the_tables_and_a_device_is_split_afresh"],
    ),
    Row(
        "slots: who has waited longest gets the slot",
        SLOTS,
        "DescriptorSlots.release",
        Swap("hand_over", by="bool"),
        [FIRST_COME],
    ),
    Row(
        "slots: a slot that is given back is free",
        SLOTS,
        "DescriptorSlots.release",
        Drop("append"),
        [ALL_SLOTS],
    ),
    Row(
        "slots: a queue that goes turns away who waits",
        SLOTS,
        "DescriptorSlots.turn_away",
        Replace("ENXIO", by="EAGAIN"),
        [ALLOCATED + "test_a_queue_removed_turns_those_away_who_wait_for_it"],
    ),
    Row(
        "stats: a call counts for its queue",
        STATISTICS,
        "Statistics.called",
        Drop("comp_calls", 1),
        [TEXTS],
    ),
    Row("stats: ... and for its device", STATISTICS, "Statistics.called", Drop("comp_calls", 2), [TEXTS]),
    Row("stats: bytes are those compressed", STATISTICS, "Statistics.moved", Drop("total_comp_bytes_out"), [TEXTS]),
    Row(
        "stats: what software inflates counts in all",
        STATISTICS,
        "Statistics.inflated",
        Drop("total_sw_decomp_calls"),
        [ALLOCATED + "test_compress_gives_up_and_decompress_falls_back"],
    ),
    Row("stats: a removed queue's counters go to the book", STATISTICS, "Statistics.retire", Drop("add"), [RETIRED]),
    Row("stats: a reset zeroes the devices", STATISTICS, "Statistics.reset", Drop("_zero", 2), [TEXTS]),
    Row(
        "stats: requests are those of all ways together",
        STATISTICS,
        "Statistics.ended",
        Drop("hardware"),
        [ALL_SLOTS],
    ),
]
