"""The driver's events in `acomp.trace`: kinds, fields and meaning (schema `acomp.trace.SCHEMA`).

A chain's own events are acomp's: chain.init, chain.add, submit, poll.empty, and complete, which in a parallel run is
the poll that found the request finished. `request` is the request's serial number, `wq` and `device` are names.
"""

from collections.abc import Mapping
from typing import Final

EVENTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "iaa.queued": (("request", "device", "wq", "slot"), "the descriptor is in its queue"),
    "iaa.start": (("request", "device", "wq"), "an engine begins with it; worker threads tell this when it has landed"),
    "iaa.landed": (("request", "device", "wq", "status"), "completion record and output are there; None: given up on"),
    "iaa.landed_again": (("request", "device", "wq"), "an engine has landed it once more, or too late: ignored"),
    "iaa.retry": (("request", "wq", "attempts", "got"), "a wait for a descriptor is over, as so many attempts"),
    "iaa.fallback": (("request", "cause"), "software inflate does it, since the device could not"),
    "iaa.disabled": (("request", "device", "wq"), "a job never landed: the driver uses no device any more"),
}
"""Kind: its fields in order, and what has happened."""
