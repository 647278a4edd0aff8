"""Errors of misuse. What the *protocol* can answer is a code (0 or a negative errno), never an exception.

Named for whose fault it was: the caller broke the order of calls (`ProtocolError`), used a request that somebody else
still holds (`RequestBusyError`), came from another event loop (`WrongLoopError`), or asked for something that is not
there (`AlgorithmNotFoundError`). Wrong types and sizes are `TypeError` and `ValueError`.
"""

import errno as _errno
from typing import ClassVar


class AcompError(Exception):
    """Base of all errors raised by acomp; `errno` is the positive errno nearest to the cause."""

    errno: ClassVar[int] = _errno.EINVAL


class ProtocolError(AcompError):
    """Calls in the wrong order, a freed request or transform, a request of a foreign transform, a broken driver."""

    errno = _errno.EPROTO


class RequestBusyError(AcompError):
    """The request is in flight or chained: it cannot be re-parametrised, chained, submitted or freed now."""

    errno = _errno.EBUSY


class WrongLoopError(AcompError):
    """A transform was used outside a running event loop, or on another loop than the one that first used it."""

    errno = _errno.EXDEV


class AlgorithmNotFoundError(AcompError):
    """No algorithm of that name or driver name is registered in the current registry (-ENOENT in the kernel)."""

    errno = _errno.ENOENT
