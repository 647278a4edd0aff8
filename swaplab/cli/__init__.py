"""The command line. One file per command; each parses, calls the laboratory, prints, and knows nothing else."""

import os
import signal
import sys
from types import FrameType

__all__ = ["main", "say_which_extra"]

SAID = {130: "interrupted", 143: "terminated"}
"""Exit codes of whoever is ended from outside: 128 and the number of the signal, SIGINT or SIGTERM."""


def main() -> None:
    """Run the command line.

    Exit 0, 1 when pages differed, 2 for unusable arguments or input, 130 when interrupted, 143 when terminated.
    """
    _open_what_is_closed()
    terminated = _end_by_sigterm_as_by_ctrl_c()
    try:
        try:
            from swaplab.cli.commands import app  # here, since this takes long enough for a Ctrl-C
        except ModuleNotFoundError as missing:
            say_which_extra(missing)
            raise
        app()
    except (KeyboardInterrupt, SystemExit) as end:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        code = end.code if isinstance(end, SystemExit) else 130
        if code == 130 and terminated:
            code = 143
        if code in SAID:
            print(SAID[code], file=sys.stderr)
        sys.exit(code)


def say_which_extra(missing: ModuleNotFoundError) -> None:
    """SystemExit(2) with the remedy, where a library is missing that only the laboratory needs."""
    if (missing.name or "swaplab").partition(".")[0] != "swaplab":
        print(
            f"swaplab: there is no {missing.name} here; install the extra: pip install 'swaplab[lab]'", file=sys.stderr
        )
        sys.exit(2)


def _open_what_is_closed() -> None:
    """Whoever closes stdout or stderr wants to hear nothing of it. No file that is opened later may take its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 (for as long as we live)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _end_by_sigterm_as_by_ctrl_c() -> list[int]:
    """From now on SIGTERM does what Ctrl-C would do at that moment. The list holds it as soon as it came.

    A running loop puts its own handler in the place of Python's for Ctrl-C, and cancels its tasks first; but not where
    Ctrl-C is ignored, as in the background of a script. There it is blocked instead, so that SIGTERM can do the same.
    """
    came: list[int] = []

    def end(signum: int, frame: FrameType | None) -> None:
        if came:  # more of it, as whoever asks the whole group to end sends, must not disturb the end
            return
        came.append(signum)
        interrupt = signal.getsignal(signal.SIGINT)
        assert callable(interrupt), "Python's own, or that of a loop"
        interrupt(signal.SIGINT, frame)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return came
