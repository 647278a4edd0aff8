"""What holds for every process of a service but the service itself: it gives way, and is bounded."""

import os
import resource

from .bounds import JOB_MEMORY_BYTES, JOB_NICE, RESULT_BYTES


def step_aside() -> None:
    """Bound this process: nice, address space, length of files, no core. For good."""
    os.nice(JOB_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (JOB_MEMORY_BYTES, JOB_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (RESULT_BYTES, RESULT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
