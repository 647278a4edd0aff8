"""Where a page is: what `Swap` says of those that it has stored."""

from enum import IntEnum


class Placed(IntEnum):
    """Where a page is, or where a folio went: nowhere since it is all zeroes, into the store, or to the device.

    The numbers rank how far out that is. Of a folio that had to be split, `Swap.store` returns the place of the page
    that went furthest. It prints as its name.
    """

    ZERO = 0
    ZSWAP = 1
    DEVICE = 2

    def __str__(self) -> str:
        return self.name

    def __format__(self, format_spec: str) -> str:
        return format(self.name, format_spec)
