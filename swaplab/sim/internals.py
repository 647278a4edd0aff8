"""What the virtual loop uses of asyncio that asyncio does not document, named in one place.

`BaseEventLoop` is made to be subclassed (the selector and the proactor loop do), but says so only in its source. A test
holds that every Python this project supports still has these.
"""

import asyncio
from asyncio import format_helpers
from collections import deque
from collections.abc import Callable
from typing import Any

from .handle import Entry

format_callback: Callable[[Any, Any], str] = format_helpers._format_callback_source
"""A callback and its arguments as asyncio's messages show them."""


class Internals(asyncio.BaseEventLoop):
    """Types for the inherited parts. `run_forever` calls `_run_once` again and again until the loop is stopped."""

    _ready: deque[Entry]
    _debug: bool
    _closed: bool
    _stopping: bool
    _current_handle: Entry | None
    _asyncgens: Any
    _check_closed: Callable[[], None]
    _check_default_executor: Callable[[], None]
    _check_thread: Callable[[], None]
    _check_callback: Callable[[object, str], None]
