"""How much a script may be, and how much its run may do: the numbers, in one place."""

from typing import Final

MIB: Final = 1 << 20

CALLS: Final = 512
REQUESTS: Final = 64
"""Calls of `acomp_request_alloc`."""
TASKS: Final = 16
STORES: Final = 4
SLOTS: Final = 1 << 20
"""Of a store, that a script can name."""
PAGES: Final = 64
PAGE_BYTES: Final = 131_072
"""Of one page, and of one buffer."""
PAGES_BYTES: Final = 4 * MIB
BUFFERS_BYTES: Final = 16 * MIB
LIST_ITEMS: Final = 64
ARGUMENTS: Final = 20_000
"""Of all calls together, the items of lists included."""
KEYS: Final = 64
"""Of an object in the script: as many as there are pages."""
STRING: Final = 256
"""Characters of a string."""
INTEGER: Final = 1 << 63
"""Integers are between its negative and itself, exclusively."""
DEVICES: Final = 8
QUEUES: Final = 8
"""Queues of a device."""
JSON_BYTES: Final = 8 * MIB
"""Of a script, and of the answer."""

EVENTS: Final = 20_000
"""Events and changes of states that are kept of a run. One that goes beyond is cut."""
TIME_NS: Final = 60_000_000_000
"""Of virtual time."""
WORK_BYTES: Final = 32 * MIB
"""Bytes that codecs are asked to read or to write."""
TURNS: Final = 1_000_000
"""Events of the loop: no script is known to need as many, so only one that spins meets it."""
