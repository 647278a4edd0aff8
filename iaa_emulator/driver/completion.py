"""Reading a completion record: the code it stands for, and the error counters it ticks (docs/kernel.md#records)."""

from errno import E2BIG, EINVAL, EOVERFLOW, ETIMEDOUT

from acomp import fault

from ..hardware.descriptor import COMPRESS, SUCCESS, CompletionRecord, ErrorCode, Status
from ..hardware.job import Ending, Job
from . import faults
from .statistics import GlobalStats


def read_record(record: CompletionRecord | None, compress: bool, stats: GlobalStats) -> int:
    """0, or what the job failed with. `compress`: whether a compress overflow is taken for one (always, when polling).

    None is a job that never landed: -ETIMEDOUT, which no counter sees.
    """
    if record is None:
        return -ETIMEDOUT
    if record.status == SUCCESS:
        return 0
    if record.status == Status.WATCHDOG_EXPIRED:
        stats.total_completion_timeout_errors += 1
        return -ETIMEDOUT
    if record.status == Status.ANALYTICS_ERROR and record.error_code == ErrorCode.COMPRESS_OVERFLOW and compress:
        stats.total_completion_comp_buf_overflow_errors += 1
        return -E2BIG
    if record.status == Status.OUTPUT_OVERFLOW:
        return -EOVERFLOW
    stats.total_completion_einval_errors += 1
    return -EINVAL


def spoiled(job: Job, ending: Ending) -> Ending:
    """What a job that is just landing ends in where a fault decider says so; called only while one is installed."""
    record, output = ending
    if record is None or job.landed:
        return ending
    if fault.should_fail(faults.WATCHDOG):
        return CompletionRecord(Status.WATCHDOG_EXPIRED), b""
    if fault.should_fail(faults.ANALYTICS_ERROR):
        return CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.BAD_STREAM), b""
    if job.opcode == COMPRESS and output and fault.should_fail(faults.CORRUPT_OUTPUT):
        from ..hardware.silicon import perform  # no one else here needs it, and it loads the device's codec

        plain = bytearray(job.source)
        plain[0] ^= 1
        return record, perform(COMPRESS, plain, job.limit).output or output
    return ending
