"""The driver's attributes, as text and as values: `verify_compress`, `sync_mode` and the two of patch 9.

Writable only while the driver is disabled (docs/kernel.md#attributes). What a name means depends on the
patches: without patch 5 the mode "async" behaves as "sync".
"""

import errno
import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, cast, get_args

from ..errors import ConfigurationError
from .features import DriverFeatures

SyncMode = Literal["sync", "async", "async_irq"]
SYNC_MODES: Final = get_args(SyncMode)
_TRUE: Final = frozenset({"1", "y", "yes", "on", "t", "true"})
_FALSE: Final = frozenset({"0", "n", "no", "off", "f", "false"})
_DECIMAL: Final = re.compile(r"([+-]?)0*([0-9]+)")
INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1
"""What an attribute that is a number holds."""


class Modes(NamedTuple):
    """What a transform remembers from when it was made. Chains follow the attributes instead."""

    async_mode: bool
    use_irq: bool
    verify_compress: bool


class Attributes:
    """The attributes of one driver. Read the fields; change them with `write`.

    `verify_compress`, `sync_mode`, `g_wqs_per_iaa`, `g_consec_descs_per_gwq`; defaults are those of the features.
    """

    def __init__(self, features: DriverFeatures, enabled: Callable[[], bool]) -> None:
        self._features = features
        self._enabled = enabled
        self.verify_compress = 6 not in features
        self.sync_mode: SyncMode = "async" if 5 in features else "sync"
        self.g_wqs_per_iaa = 0
        self.g_consec_descs_per_gwq = 1

    def __repr__(self) -> str:
        return f"<Attributes {' '.join(f'{name}={self.read(name)}' for name in self.names())}>"

    @property
    def async_mode(self) -> bool:
        """Whether requests may complete later. In the base they never do: its mode `async` does what `sync` does."""
        return self.use_irq or (self.sync_mode == "async" and 5 in self._features)

    @property
    def use_irq(self) -> bool:
        """Whether completions come by interrupt."""
        return self.sync_mode == "async_irq"

    def modes(self) -> Modes:
        """What a transform remembers that is made now."""
        return Modes(self.async_mode, self.use_irq, self.verify_compress)

    def names(self) -> list[str]:
        """The attributes that there are; two of them come with patch 9."""
        return ["verify_compress", "sync_mode"] + ["g_wqs_per_iaa", "g_consec_descs_per_gwq"] * (9 in self._features)

    def read(self, name: str) -> str:
        """The text of the attribute: booleans as 1 and 0, the mode as what it *does*."""
        self._check_name(name)
        if name == "sync_mode":
            return "async_irq" if self.use_irq else "async" if self.async_mode else "sync"
        value = getattr(self, name)
        return str(int(value))

    def write(self, name: str, text: str) -> None:
        """Set the attribute from text.

        ConfigurationError: EBUSY while the driver is enabled, EINVAL for a value that makes no sense, ERANGE for an
        integer beyond 32 bits. TypeError for a value that is not text.
        """
        self._check_name(name)
        if not isinstance(text, str):
            raise TypeError(f"{name} is written as text, such as {self.read(name)!r}, not {type(text).__name__}")
        if self._enabled():
            raise ConfigurationError(
                errno.EBUSY,
                f"{name} cannot be written while work queues are bound",
                "Unbind all of them first (Platform.unbind), write, and bind again.",
            )
        word = text.strip()
        if name == "sync_mode":
            if word not in SYNC_MODES:
                raise ConfigurationError(
                    errno.EINVAL, f"there is no sync_mode {word!r}", f"Choose one of {', '.join(SYNC_MODES)}."
                )
            self.sync_mode = cast(SyncMode, word)
        elif name == "verify_compress":
            self.verify_compress = _boolean(name, word)
        else:
            setattr(self, name, _integer(name, word))

    def _check_name(self, name: str) -> None:
        if name not in self.names():
            needs = " The two of global queues come with patch 9." * (9 not in self._features)
            raise ConfigurationError(
                errno.ENOENT, f"there is no attribute {name!r}", f"There are {', '.join(self.names())}.{needs}"
            )


def _boolean(name: str, word: str) -> bool:
    if word.lower() not in _TRUE | _FALSE:
        raise ConfigurationError(errno.EINVAL, f"{name} is a boolean, not {word!r}", "Write 1 or 0.")
    return word.lower() in _TRUE


def _integer(name: str, word: str) -> int:
    decimal = _DECIMAL.fullmatch(word)
    if decimal is None:
        raise ConfigurationError(errno.EINVAL, f"{name} is a decimal integer, not {word!r}", "Write one, such as 1.")
    sign, digits = decimal.groups()
    value = int(sign + digits[:11])  # more are out of range whatever they say, and `int` has a limit of its own
    if not INT_MIN <= value <= INT_MAX:
        raise ConfigurationError(errno.ERANGE, f"{name} does not hold {word}", "Write a 32-bit integer, such as 1.")
    return value
