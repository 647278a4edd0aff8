"""Errors of configuration, and of waiting for good. What a request can end in is a code, never one of these."""

import errno as _errno
import os
from typing import ClassVar, NamedTuple


class Place(NamedTuple):
    """Where a configuration says something: the object's name, the key, and the line (0: it is of no file)."""

    object: str
    key: str
    line: int


class ConfigurationError(Exception):
    """What the kernel would refuse to configure: `errno` (positive), `cause`, and the `remedy`, each a sentence.

    `at` is the place in a saved configuration, if it is about one. As text it has the system's words for `errno` once,
    also where `cause` brings them along.
    """

    def __init__(self, errno: int, cause: str, remedy: str) -> None:
        super().__init__(errno, cause, remedy)
        self.errno = errno
        self.cause = cause
        self.remedy = remedy
        self.at: Place | None = None

    def __str__(self) -> str:
        said = os.strerror(self.errno)
        why = self.cause if said in self.cause else f"{self.cause} ({said})"
        return f"{why}. {self.remedy}"


class DescriptorDeadlockError(Exception):
    """Without patch 10 a request waits for a descriptor without a bound, and chains can wait for each other for good.

    The kernel reports "task blocked"; here the wait ends with this after the completion timeout.
    """

    errno: ClassVar[int] = _errno.EDEADLK
