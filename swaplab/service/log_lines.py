"""What the service says of itself: one JSON object a line on standard error. Never a key, a value or a token."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

LOGGER: Final = logging.getLogger("swaplab.service")


class JsonLines(logging.Formatter):
    """`at` (UTC), `level`, `event`, what belongs to it, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        said: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
        said |= getattr(record, "fields", {})
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def tell(event: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Log that something happened. `fields` are names and numbers, never what somebody has sent."""
    LOGGER.log(level, event, extra={"fields": fields}, exc_info=error)


@contextmanager
def logging_here() -> Iterator[None]:
    """On the running loop: lines go to standard error, and with them what nobody was there to be told."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    logging.getLogger("uvicorn.error").disabled = True  # it would tell each fault a second time, as text
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unheard)
    try:
        yield
    finally:
        loop.set_exception_handler(None)
        LOGGER.removeHandler(handler)


def _unheard(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    tell("unheard", logging.ERROR, context.get("exception"), message=context["message"])
