"""How much the service takes: every bound of it, in one place. Bytes, counts, seconds."""

from typing import Final

from acomp import CRYPTO_ACOMP_DST_MAX, PAGE_SIZE

MAX_ITEMS: Final = 64
"""Items of one call with frames."""
MAX_ITEM_BYTES: Final = CRYPTO_ACOMP_DST_MAX
MAX_CAPACITY_BYTES: Final = 4 << 20
"""What the items of one decompression may become, together."""
MAX_LZO_CAPACITY_BYTES: Final = 1 << 16
"""Of one item, where the codec can allocate far more than the limit it is given."""
MAX_BODY_BYTES: Final = (8 << 20) + (64 << 10)
MAX_RECEPTION_BYTES: Final = 32 << 20
"""Bodies that are being received, all together."""
MAX_ROOMS: Final = 64
"""Stores, and caches likewise."""
MAX_STORE_PAGES: Final = 1 << 24
MAX_FOLIO_PAGES: Final = 512
MAX_TEXT_BYTES: Final = 4096
"""Of a file of the text tree."""
MAX_HEADER_BYTES: Final = 1 << 16
MAX_CONNECTIONS: Final = 512
MAX_EVENT_STREAMS: Final = 64

HEADERS_TIMEOUT_S: Final = 10.0
"""From accepting a connection, or the end of a response, to the end of the headers."""
BODY_TIMEOUT_S: Final = 30.0
WRITE_TIMEOUT_S: Final = 30.0
"""Without a byte taken by who reads a response."""
STOP_TIMEOUT_S: Final = 2.0
"""From SIGTERM to the end, for what is under way."""

FOLIO_BYTES: Final = MAX_FOLIO_PAGES * PAGE_SIZE

JOB_MEMORY_BYTES: Final = 2 << 30
"""Address space of a process that does something for the service."""
JOB_NICE: Final = 10
RESULT_BYTES: Final = 16 << 20
