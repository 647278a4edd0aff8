"""Errors of misuse and of the world outside. What the kernel answers by refusing is a return value, never one of these.

Named for whose fault it was: the caller closed the store or never opened it, a parameter makes no sense, the cpu went
away, the compressor cannot read its own output, a value is too large for its cache, what computes it cancelled itself,
the device did not answer in time. Wrong types and sizes are `TypeError` and `ValueError`, and a
`ParameterError` is a `ValueError`; use from another loop is
`acomp.WrongLoopError`; a swap device's refusals are `OSError`.
"""

import errno as _errno
import os


class ZswapError(Exception):
    """Base of all errors raised by zswap; `errno` is the positive errno nearest to the cause."""

    errno: int = _errno.EINVAL


class StoreClosedError(ZswapError):
    """The store is not open: its context was left already, or was never entered. Pages it held are gone."""

    errno = _errno.ESHUTDOWN


class StoreOpenError(ZswapError):
    """The store is open already; open another one with its own `open`."""

    errno = _errno.EBUSY


class ParameterError(ZswapError, ValueError):
    """A parameter was refused and nothing changed: `errno` as the kernel answers, `name`, `value`, and the `remedy`.

    It is a ValueError as well, for those who expect one of a value that makes no sense.
    """

    def __init__(self, errno: int, name: str, value: object, remedy: str) -> None:
        super().__init__(errno, name, value, remedy)  # what it is made of again in another process
        self.errno = errno
        self.name = name
        self.value = value
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.name} = {self.value!r}: {os.strerror(self.errno)}; {self.remedy}"


class CpuOfflineError(ZswapError):
    """A pinned task's cpu stayed offline for `Params.offline_timeout`. Bring it online, or do not pin the task."""

    errno = _errno.EHOSTDOWN


class DecompressError(ZswapError):
    """A stored page could not be decompressed. Its entry stays where it is; `code` is the compressor's negative errno.

    Differs from the kernel: 6.14 asserts (fatal), later kernels answer -EIO.
    """

    errno = _errno.EIO

    def __init__(self, offset: int, compressor: str, code: int) -> None:
        super().__init__(offset, compressor, code)
        self.offset = offset
        self.compressor = compressor
        self.code = code

    def __str__(self) -> str:
        return f"page {self.offset} cannot be decompressed by {self.compressor}: {os.strerror(-self.code)}"


class ValueTooLargeError(ZswapError):
    """A cache cannot take a value: `size` bytes are more than `limit`. What the key had before is still there."""

    errno = _errno.EFBIG

    def __init__(self, size: int, limit: int, what: str) -> None:
        super().__init__(size, limit, what)
        self.size = size
        self.limit = limit
        self.what = what

    def __str__(self) -> str:
        return f"a value of {self.size} bytes is larger than {self.limit}: {self.what}"


class ComputeCancelledError(ZswapError):
    """What was to compute a value for a cache has cancelled itself; whoever waited for it was not cancelled."""

    errno = _errno.ECANCELED


class CloseTimeoutError(ZswapError):
    """Work in flight did not end within `Params.close_timeout` after the store was closed."""

    errno = _errno.ETIMEDOUT
