"""The folio sizes of the series, by the names that commands, tables and files use."""

from typing import Final

FOLIO_PAGES: Final = {"4K": 1, "64K": 16, "2M": 512}
"""Pages per folio, by the name of its size."""
