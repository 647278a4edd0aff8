"""`python -m swaplab.cli.job_process ARGUMENTS`: the command line as a job of a service.

It ends with whoever started it: its standard input is a pipe from there.
"""

import os
import sys
import threading

from swaplab.service.aside import step_aside


def leave_with_parent() -> None:
    """Wait for the end of the pipe, and leave in the middle of whatever is being done."""
    while os.read(0, 1 << 12):
        pass
    os._exit(1)


if __name__ == "__main__":
    step_aside()
    threading.Thread(target=leave_with_parent, name="parent's end", daemon=True).start()
    from swaplab.cli import main

    sys.argv[0] = "swaplab"
    main()
