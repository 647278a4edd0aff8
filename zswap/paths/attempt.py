"""The record of a folio on its way into the store, handed from step to step."""

from dataclasses import dataclass

from ..folio import Folio
from ..inventory.lru import LruList
from ..pool.pool import Pool
from ..slot_locks import SlotLease


@dataclass(slots=True)
class Attempt:
    """One attempt to store a folio, from when it was admitted: `store` holds the lease and a reference of the pool."""

    folio: Folio
    lease: SlotLease
    """On all its slots. Invalidated, the attempt has failed, however far it is."""
    pool: Pool
    """Whose compressor and allocator all its pages go to, also if another one has become current meanwhile."""
    lru: LruList
    """Of the folio's owner and node at the start; the owner may go while the attempt is under way."""
    may_store_raw: bool
    """Whether a page that does not compress is stored as it is; asked once per folio, as from v12 on."""
