"""`zswap.Cache`: which write counts, who leaves, what is refused, what expires, who hears of a flight."""

from tests.mutants.operators import Drop, Negate, Replace
from tests.mutants.row import Row

CACHE = "zswap.cache.cache"
CONTENTS = "zswap.cache.contents"
EVICTION = "zswap.cache.eviction"
FLIGHTS = "zswap.cache.flights"
COMPRESSOR = "zswap.cache.compressor"
INLINE = "zswap.cache.inline"
ROOM = "zswap.cache.room"
ORDER = "zswap.cache.order"
SPILL = "zswap.cache.spill"

WRITES = "zswap/cache/test_order.py::"
BUDGET = "zswap/cache/test_budget.py::"
FLIGHT = "zswap/cache/test_single_flight.py::"
UNITS = "zswap/cache/test_units.py::"
FILE = "zswap/cache/test_spill.py::"
EXPIRY = "zswap/cache/test_expiry.py::"
TURNS = "zswap/cache/test_turns.py::"
CLOSING = "zswap/cache/test_closing.py::"

LAST_WINS = WRITES + "test_the_set_that_was_called_last_wins_though_it_ends_first"

ROWS = [
    Row(
        "cache: a set that was overtaken is not published", CONTENTS, "Contents._finish", Negate("counts"), [LAST_WINS]
    ),
    Row(
        "cache: a set at once voids older ones that wait",
        CONTENTS,
        "Contents.put_now",
        Drop("mark"),
        [FLIGHT + "test_a_write_during_the_flight_wins[set]", FLIGHT + "test_a_set_right_after_the_call_wins_as_well"],
    ),
    Row(
        "cache: and so does a delete",
        CONTENTS,
        "Contents.forget",
        Drop("mark"),
        [WRITES + "test_a_delete_or_clear_that_was_called_later_wins[delete]"],
    ),
    Row(
        "cache: and a clear",
        CONTENTS,
        "Contents.clear",
        Drop("mark_all"),
        [WRITES + "test_a_delete_or_clear_that_was_called_later_wins[clear]"],
    ),
    Row("cache: a ticket ends with its last write", ORDER, "Writes.end", Negate("count"), [WRITES + "test_tickets"]),
    Row(
        "cache: who was asked for has a second chance",
        EVICTION,
        "victims",
        Negate("referenced"),
        [BUDGET + "test_who_was_asked_for_has_a_second_chance_and_only_one"],
    ),
    Row(
        "cache: and only one",
        EVICTION,
        "victims",
        Drop("referenced"),
        [BUDGET + "test_when_all_were_asked_for_the_oldest_leave"],
    ),
    Row(
        "cache: the value that a set replaces is not evicted for it",
        EVICTION,
        "victims",
        Negate("keep"),
        [BUDGET + "test_victims_are_chosen_without_a_wait_and_stay_where_they_are"],
    ),
    Row(
        "cache: what is too large is refused, at once",
        CONTENTS,
        "Contents.put_now",
        Negate("most"),
        [WRITES + "test_what_is_too_large_leaves_the_old_value_and_evicts_nothing"],
    ),
    Row(
        "cache: what has expired goes before anything is evicted",
        CONTENTS,
        "Contents.put_now",
        Drop("sweep"),
        [BUDGET + "test_what_has_expired_goes_first"],
    ),
    Row(
        "cache: what has expired goes, though nobody asks for it, and nothing else",
        CONTENTS,
        "Contents._expire",
        Negate("deadline", 3),
        [EXPIRY + "test_values_that_nobody_asks_for_go_within_a_second"],
    ),
    Row(
        "cache: nothing is there that has expired",
        CONTENTS,
        "Contents.live",
        Negate("time"),
        [EXPIRY + "test_an_old_timer_removes_no_newer_value"],
    ),
    Row(
        "cache: a sample has to shrink by a tenth",
        COMPRESSOR,
        "Compressor._shrank",
        Replace("SAMPLE_GAIN", by="20"),
        [UNITS + "test_a_sample_has_to_shrink_by_a_tenth"],
    ),
    Row(
        "cache: a full turn of the loop is full for every call",
        INLINE,
        "InlineWork.spend",
        Replace("TURN_BYTES", by="(1 << 30)"),
        [TURNS + "test_one_alone_waits_one_turn_for_each_128_kib"],
    ),
    Row(
        "cache: a damaged value of the file is a miss",
        CONTENTS,
        "Contents._read_back",
        Negate("crc"),
        [FILE + "test_a_crc_finds_what_the_compressor_does_not"],
    ),
    Row(
        "cache: a value comes back into memory only where there is room",
        CONTENTS,
        "Contents._read_back",
        Negate("has"),
        [FILE + "test_a_value_comes_back_into_memory_only_where_there_is_room"],
    ),
    Row(
        "cache: a value that changed while it was written stays as it is",
        ROOM,
        "Room._spill",
        Negate("taken"),
        [FILE + "test_the_oldest_go_to_the_file_and_come_back"],
    ),
    Row(
        "cache: a read holds the slots of its value",
        SPILL,
        "SpillFile.read",
        Replace("self._slots.hold", by="int.__rpow__"),
        [FILE + "test_the_oldest_go_to_the_file_and_come_back"],
    ),
    Row(
        "cache: nobody takes the room that another waits for",
        CONTENTS,
        "Contents.units_now",
        Negate("waited_for"),
        [FILE + "test_a_small_set_takes_no_room_that_another_waits_for"],
    ),
    Row(
        "cache: a flight knows that it is its own caller's",
        FLIGHTS,
        "Flights._fly",
        Drop("set"),
        [FLIGHT + "test_asking_for_its_own_key_is_an_error_and_no_deadlock"],
    ),
    Row(
        "cache: an error of which nobody hears goes to the loop",
        FLIGHTS,
        "Flight._report",
        Drop("call_exception_handler"),
        [FLIGHT + "test_an_error_of_which_nobody_hears_goes_to_the_loop"],
    ),
    Row(
        "cache: a caller who was told, and is cancelled before it hears, does not count",
        FLIGHTS,
        "Flight.wait",
        Drop("_told"),
        [FLIGHT + "test_a_caller_who_is_cancelled_when_it_was_told_has_not_heard"],
    ),
    Row(
        "cache: closing tells who waits for a flight",
        FLIGHTS,
        "Flights.close",
        Drop("land"),
        [CLOSING + "test_a_make_that_does_not_end_delays_closing_by_five_seconds"],
    ),
    Row(
        "cache: the compressor lives until the last call has ended",
        CACHE,
        "Cache.close",
        Replace("self._in_flight.when_ended", by="(lambda close: close())"),
        ["zswap/cache/test_sweeps.py::test_closing"],
    ),
]
