"""The first phase: options, until the client goes on to use the device. A state machine without I/O.

`Negotiation.answer` takes one option and says what to send and what to do then. After STARTTLS the connection makes a
new one, so that nothing negotiated in plain text is believed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from . import wire
from .wire import Info, Option, OptionReply, Transmission, WireError

EXPORT_NAME: Final = ""
"""The one export, which is the one that clients ask for when they name none."""
BASE_ALLOCATION: Final = "base:allocation"
CONTEXT: Final = 1
"""The number of `base:allocation`, for BLOCK_STATUS."""
MINIMUM_BLOCK: Final = 1
PREFERRED_BLOCK: Final = 4096

FLAGS: Final = (
    Transmission.HAS_FLAGS
    | Transmission.SEND_FLUSH
    | Transmission.SEND_FUA
    | Transmission.SEND_TRIM
    | Transmission.SEND_WRITE_ZEROES
    | Transmission.CAN_MULTI_CONN
    | Transmission.SEND_CACHE
    | Transmission.SEND_FAST_ZERO
)
"""What every client is offered; DF has a meaning with structured replies only."""


class Then(Enum):
    """What follows when the answer is sent."""

    OPTION = "the next option"
    TRANSMISSION = "the device is used"
    TLS = "the TLS handshake"
    CLOSE = "the connection is closed"


class Tls(Enum):
    """What the connection has of TLS."""

    NONE = "there is no certificate"
    REQUIRED = "nothing is served before STARTTLS"
    DONE = "what is read here was encrypted"


@dataclass
class Negotiation:
    """What one client has agreed on so far.

    `size` is the export's in bytes. `no_zeroes` is the client's flag, of use for EXPORT_NAME only.
    """

    size: int
    description: str = ""
    tls: Tls = Tls.NONE
    no_zeroes: bool = True
    structured: bool = False
    """Whether replies may be structured; a READ's then has to be."""
    allocation: bool = False
    """Whether the client may ask for extents."""

    def answer(self, number: int, data: bytes) -> tuple[bytes, Then]:
        """The reply to an option, and what comes then. WireError when it has no reply but closing."""
        try:
            option = Option(number)
        except ValueError:
            return _refused(number, OptionReply.ERR_UNSUP, "this option is not known here")
        if self.tls is Tls.REQUIRED and option not in (Option.ABORT, Option.STARTTLS):
            if option is Option.EXPORT_NAME:
                raise WireError("EXPORT_NAME before STARTTLS")
            return _refused(option, OptionReply.ERR_TLS_REQD, "this server wants STARTTLS first")
        try:
            return _ANSWERS[option](self, option, data)
        except ValueError as error:  # UnicodeDecodeError, too
            if option is Option.EXPORT_NAME:
                raise WireError(f"EXPORT_NAME: {error}") from None
            return _refused(option, OptionReply.ERR_INVALID, str(error))

    @property
    def flags(self) -> int:
        """The transmission flags."""
        return FLAGS | (Transmission.SEND_DF if self.structured else 0)

    def _abort(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        return wire.option_reply(option, OptionReply.ACK), Then.CLOSE

    def _start_tls(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        _empty(data)
        if self.tls is Tls.NONE:
            return _refused(option, OptionReply.ERR_POLICY, "this server has no certificate")
        if self.tls is Tls.DONE:
            return _refused(option, OptionReply.ERR_INVALID, "this is TLS already")
        return wire.option_reply(option, OptionReply.ACK), Then.TLS

    def _list(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        _empty(data)
        there = wire.option_reply(option, OptionReply.SERVER, wire.server(EXPORT_NAME))
        return there + wire.option_reply(option, OptionReply.ACK), Then.OPTION

    def _export_name(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        if wire.export_name(data) != EXPORT_NAME:
            raise WireError("there is no export of this name")
        return wire.export_name_reply(self.size, self.flags, zeroes=not self.no_zeroes), Then.TRANSMISSION

    def _info_or_go(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        name, asked = wire.info_request(data)
        if name != EXPORT_NAME:
            return _unknown(option)
        infos = [wire.info_export(self.size, self.flags)]
        if Info.NAME in asked:
            infos.append(wire.info_text(Info.NAME, EXPORT_NAME))
        if Info.DESCRIPTION in asked and self.description:
            infos.append(wire.info_text(Info.DESCRIPTION, self.description))
        if Info.BLOCK_SIZE in asked:
            infos.append(wire.info_block_size(MINIMUM_BLOCK, PREFERRED_BLOCK, wire.MAX_PAYLOAD))
        told = b"".join(wire.option_reply(option, OptionReply.INFO, info) for info in infos)
        then = Then.TRANSMISSION if option is Option.GO else Then.OPTION
        return told + wire.option_reply(option, OptionReply.ACK), then

    def _structured_reply(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        _empty(data)
        self.structured = True
        return wire.option_reply(option, OptionReply.ACK), Then.OPTION

    def _contexts(self, option: Option, data: bytes) -> tuple[bytes, Then]:
        name, queries = wire.meta_context_request(data)
        if not self.structured:
            raise ValueError("contexts need structured replies; negotiate them first")
        if name != EXPORT_NAME:
            return _unknown(option)
        if option is Option.SET_META_CONTEXT:
            found = self.allocation = BASE_ALLOCATION in queries
        else:
            found = not queries or not {BASE_ALLOCATION, "base:"}.isdisjoint(queries)
        number = CONTEXT if option is Option.SET_META_CONTEXT else 0
        context = wire.meta_context(number, BASE_ALLOCATION)
        told = wire.option_reply(option, OptionReply.META_CONTEXT, context) if found else b""
        return told + wire.option_reply(option, OptionReply.ACK), Then.OPTION


_ANSWERS: Final[dict[Option, Callable[[Negotiation, Option, bytes], tuple[bytes, Then]]]] = {
    Option.EXPORT_NAME: Negotiation._export_name,
    Option.ABORT: Negotiation._abort,
    Option.LIST: Negotiation._list,
    Option.STARTTLS: Negotiation._start_tls,
    Option.INFO: Negotiation._info_or_go,
    Option.GO: Negotiation._info_or_go,
    Option.STRUCTURED_REPLY: Negotiation._structured_reply,
    Option.LIST_META_CONTEXT: Negotiation._contexts,
    Option.SET_META_CONTEXT: Negotiation._contexts,
}


def _refused(option: int, reply: OptionReply, why: str) -> tuple[bytes, Then]:
    return wire.option_reply(option, reply, why.encode()), Then.OPTION


def _unknown(option: Option) -> tuple[bytes, Then]:
    return _refused(option, OptionReply.ERR_UNKNOWN, "there is no export of this name; leave it empty")


def _empty(data: bytes) -> None:
    if data:
        raise ValueError(f"this option has no data, and {len(data)} bytes came with it")
