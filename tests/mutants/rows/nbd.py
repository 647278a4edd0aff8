"""`swaplab nbd`: no byte is lost, nothing is in flight without bound, nothing said before TLS counts."""

from tests.mutants.operators import Drop, Negate
from tests.mutants.row import Row

EXPORT = "swaplab.nbd.export"
CONNECTION = "swaplab.nbd.connection"
ROOM = "swaplab.nbd.room"
NEGOTIATION = "swaplab.nbd.negotiation"
SWAP = "zswap.swap.at_once"

DEVICE = "swaplab/nbd/test_export.py::"
CLIENT = "swaplab/nbd/test_connection.py::"
OPTIONS = "swaplab/nbd/test_negotiation.py::"
AT_ONCE = "zswap/test_store_at_once.py::"

ROWS = [
    Row(
        "nbd: a page that could not be stored is kept",
        EXPORT,
        "Export._put",
        Drop("update"),
        [DEVICE + "test_a_patch_that_cannot_be_stored_loses_nothing_around_it"],
    ),
    Row(
        "nbd: no more is kept than the bound",
        EXPORT,
        "Export._put",
        Drop("_check_kept"),
        [DEVICE + "test_no_more_is_kept_than_the_bound_and_what_is_refused_then_is_old"],
    ),
    Row(
        "nbd: what was trimmed is not kept any more",
        EXPORT,
        "Export._forget",
        Drop("_drop_kept"),
        [DEVICE + "test_trimmed_zeroed_and_overwritten_pages_are_not_kept_any_more"],
    ),
    Row(
        "nbd: a command at once does not overtake one that was begun before",
        EXPORT,
        "Export._is_free",
        Negate("_unordered"),
        [DEVICE + "test_one_page_at_once"],
    ),
    Row(
        "nbd: DISC waits for what was asked before",
        CONNECTION,
        "Connection.leave",
        Negate("_commands"),
        [CLIENT + "test_disc_waits_for_what_was_asked_before"],
    ),
    Row(
        "nbd: what comes while the server stops is refused",
        CONNECTION,
        "Connection._perform",
        Negate("stopping"),
        [CLIENT + "test_shutting_down_finishes_what_was_read_and_refuses_the_rest"],
    ),
    Row(
        "nbd: nobody is admitted while he claims",
        ROOM,
        "Room._serve",
        Drop("_serving"),
        [CLIENT + "test_nobody_is_admitted_while_he_claims"],
    ),
    Row(
        "nbd: no more is read of a client than the export can be at",
        CONNECTION,
        "Connection._advance",
        Negate("AT_WORK_BYTES"),
        [CLIENT + "test_no_more_is_read_than_the_export_can_be_at"],
    ),
    Row(
        "nbd: it is read on as soon as less is at work",
        CONNECTION,
        "Connection._done",
        Drop("_go_on"),
        [CLIENT + "test_no_more_is_read_than_the_export_can_be_at"],
    ),
    Row(
        "nbd: the last page is whole though the device ends within it",
        EXPORT,
        "Export._touched_to_the_end",
        Negate("at_the_end"),
        [DEVICE + "test_the_last_page_is_whole_though_the_device_ends_within_it"],
    ),
    Row(
        "nbd: who holds room without moving is turned out",
        ROOM,
        "Room._turn_out",
        Drop("evict"),
        [CLIENT + "test_who_holds_room_without_moving_is_turned_out_when_others_wait"],
    ),
    Row(
        "nbd: with a certificate nothing is answered before TLS",
        NEGOTIATION,
        "Negotiation.answer",
        Negate("REQUIRED"),
        [OPTIONS + "test_with_a_certificate_nothing_is_answered_before_tls"],
    ),
    Row(
        "zswap: a slot that I/O still works on is not written over at once",
        SWAP,
        "store_at_once",
        Negate("is_held"),
        [AT_ONCE + "test_nothing_changes_when_something_would_wait"],
    ),
]
