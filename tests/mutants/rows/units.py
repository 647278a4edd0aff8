"""Unit requests and arrays: the rules of what goes down in one call without a chain."""

from tests.mutants.operators import Drop, Negate, Replace, Swap
from tests.mutants.row import Row

RUN = "acomp.units.run"
ONE = "acomp.units.one"
SETTERS = "acomp.units.setters"
DISPATCH = "acomp.units.dispatch"
ARRAYS = "acomp.units.arrays"

UNITS = "acomp/test_units.py::"
CALLS = "acomp/test_arrays.py::"

ROWS = [
    Row(
        "unit request: one unit returns its own code",
        RUN,
        "acomp_do_unit_req",
        Negate("count", nth=3),
        [UNITS + "test_one_unit_returns_its_own_code"],
    ),
    Row(
        "unit request: several units return -EINVAL if one failed",
        RUN,
        "acomp_do_unit_req",
        Replace("EINVAL", by="0"),
        [UNITS + "test_11_one_bad_unit_disturbs_no_other"],
    ),
    Row(
        "unit request: a failure before any unit ran is the request's code",
        RUN,
        "_none_ran",
        Negate("alone"),
        [UNITS + "test_a_failure_before_any_unit_ran_is_everybodys"],
    ),
    Row(
        "unit request: more units than the batch size are done in rounds",
        RUN,
        "acomp_do_unit_req",
        Negate("size"),
        [UNITS + "test_13_each_unit_has_its_entry_whatever_their_number"],
    ),
    Row(
        "unit request: with OUTPUT_ONLY no buffer is written",
        RUN,
        "acomp_do_unit_req",
        Replace("CRYPTO_ACOMP_OUTPUT_ONLY", by="0"),
        [UNITS + "test_with_output_only_no_buffer_is_written"],
    ),
    Row(
        "unit request, one unit: what the owner set is put back",
        ONE,
        "_OneUnit._finish",
        Drop("_restore"),
        [UNITS + "test_8_an_algorithm_that_knows_no_units_does_one"],
    ),
    Row(
        "unit request, one unit: its error is in the entry",
        ONE,
        "_OneUnit._finish",
        Replace("code", by="0", nth=2),
        [UNITS + "test_8_its_error_is_in_the_entry_and_returned"],
    ),
    Row(
        "unit request: its setters refuse what is part of a chain",
        SETTERS,
        "acomp_request_set_unit_size",
        Drop("_check_apart"),
        [UNITS + "test_a_chain_and_a_unit_size_do_not_go_together"],
    ),
    Row(
        "unit request: no buffer is there twice",
        SETTERS,
        "_check_entries",
        Swap("id", by="lambda _: object()"),
        [UNITS + "test_a_table_that_is_none"],
    ),
    Row(
        "unit request: a unit size is within its bounds",
        SETTERS,
        "acomp_request_set_unit_size",
        Negate("CRYPTO_ACOMP_DST_MAX"),
        [UNITS + "test_these_are_none"],
    ),
    Row(
        "unit request: a range is within its folio",
        SETTERS,
        "acomp_request_set_src_folio",
        Negate("size"),
        [UNITS + "test_a_range_that_is_none"],
    ),
    Row(
        "unit request: a folio is contiguous",
        SETTERS,
        "_size",
        Negate("c_contiguous"),
        [UNITS + "test_a_range_that_is_none"],
    ),
    Row(
        "unit request: the total is within the entries",
        SETTERS,
        "acomp_request_set_dst_sg",
        Negate("room"),
        [UNITS + "test_a_table_that_is_none"],
    ),
    Row(
        "unit request: entries are entries",
        SETTERS,
        "_check_entries",
        Negate("SgEntry"),
        [UNITS + "test_a_table_that_is_none"],
    ),
    Row(
        "unit request: its setters refuse what is in flight",
        SETTERS,
        "_check_apart",
        Drop("check_idle"),
        [UNITS + "test_a_request_in_flight_is_left_alone"],
    ),
    Row(
        "unit request: a folio goes with a table of entries, and is no chain",
        DISPATCH,
        "segmented",
        Negate("is_plain"),
        [UNITS + "test_13_what_is_not_in_order_is_refused_and_nothing_is_touched"],
    ),
    Row(
        "unit request: a head that has a folio is refused",
        DISPATCH,
        "segmented",
        Replace("CRYPTO_TFM_REQ_CHAIN", by="0"),
        [UNITS + "test_a_head_that_had_a_folio_before_is_refused"],
    ),
    Row(
        "unit request: several units need an algorithm that takes them",
        DISPATCH,
        "segmented",
        Negate("native"),
        [UNITS + "test_8_two_units_are_refused_and_nothing_is_touched"],
    ),
    Row(
        "unit request: several units are not decompressed",
        DISPATCH,
        "segmented",
        Negate("compressing"),
        [UNITS + "test_several_units_are_not_decompressed"],
    ),
    Row(
        "unit request: every unit has an entry",
        DISPATCH,
        "segmented",
        Swap("len", by="lambda _: 99"),
        [UNITS + "test_13_what_is_not_in_order_is_refused_and_nothing_is_touched"],
    ),
    Row(
        "arrays: POLL is off afterwards",
        ARRAYS,
        "_run",
        Replace("CRYPTO_ACOMP_REQ_POLL", by="0", nth=2),
        [CALLS + "test_every_page_goes_down_in_one_call"],
    ),
    Row(
        "arrays: one bad page is told, and returns False",
        ARRAYS,
        "_run",
        Swap("any", by="all"),
        [CALLS + "test_3_one_bad_page_in_eight"],
    ),
    Row(
        "arrays: a busy request is found before anything is touched",
        ARRAYS,
        "_checked",
        Drop("check_unchained"),
        [CALLS + "test_a_busy_request_is_found_before_anything_is_touched"],
    ),
]
