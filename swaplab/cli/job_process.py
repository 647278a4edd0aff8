"""`python -m swaplab.cli.job_process ARGUMENTS`: the command line as a job of a service.

It gives way to the service, takes a bounded amount of memory and disk, and ends with whoever started it: its standard
input is a pipe from there.
"""

import os
import resource
import sys
import threading

from swaplab.service.bounds import JOB_MEMORY_BYTES, JOB_NICE, RESULT_BYTES


def leave_with_parent() -> None:
    """Wait for the end of the pipe, and leave in the middle of whatever is being done."""
    while os.read(0, 1 << 12):
        pass
    os._exit(1)


def bound_self() -> None:
    """What holds for every process of a service but the service itself."""
    os.nice(JOB_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (JOB_MEMORY_BYTES, JOB_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (RESULT_BYTES, RESULT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=leave_with_parent, name="parent's end", daemon=True).start()


if __name__ == "__main__":
    bound_self()
    from swaplab.cli import main

    sys.argv[0] = "swaplab"
    main()
