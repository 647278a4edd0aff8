"""The points at which the hardware, or the driver's luck, can be made to fail (`acomp.fault`)."""

from typing import Final

from acomp import fault

ALLOC_DESCRIPTOR: Final = fault.declare(
    "iaa.alloc_descriptor", "no descriptor in time: compress ends in -EAGAIN, decompress goes to software inflate"
)
SUBMIT: Final = fault.declare(
    "iaa.submit", "the device does not take the submission: compress ends in -EIO, decompress in software inflate"
)
ENQUEUE_REFUSED: Final = fault.declare(
    "iaa.enqueue_refused", "a shared queue refuses one attempt; after enqcmds_retries more of them the job gets -EAGAIN"
)
LOST_COMPLETION: Final = fault.declare(
    "iaa.lost_completion", "the job never lands: -ETIMEDOUT after completion_timeout, and the driver is disabled"
)
WATCHDOG: Final = fault.declare(
    "iaa.watchdog", "the device's own watchdog ends the job: -ETIMEDOUT, counted; decompress goes to software inflate"
)
ANALYTICS_ERROR: Final = fault.declare(
    "iaa.analytics_error", "the job ends in an analytics error: -EINVAL, counted; decompress goes to software inflate"
)
CORRUPT_OUTPUT: Final = fault.declare(
    "iaa.corrupt_output", "the stream is one of another page: -EINVAL with verify_compress, else nobody notices"
)
