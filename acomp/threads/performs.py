"""What a thread does with a run of items: the codecs' side of the lanes. No request and no unit is in here."""

from collections.abc import Callable, Sequence
from errno import EINVAL
from operator import itemgetter
from typing import Any

from ..codecs import CODECS, CodecError
from ..flags import PAGE_SIZE
from .lanes import Perform


def compressing(name: str) -> Perform:
    """For one thread: compress pages; an exception of the codec is that page's outcome alone."""
    codec = CODECS[name]()
    return _performing(getattr(codec, "compress_many", None), codec.compress)  # zstd has it


def decompressing(name: str) -> Perform:
    """For one thread: decompress pairs of a source and its limit; -EINVAL for what does not decompress.

    Those whose limits are their lengths, as pages' are, are done together where the codec can do that.
    """
    codec = CODECS[name]()
    many = getattr(codec, "decompress_many", None)
    together = None if many is None else lambda items: many(*map(list, zip(*items, strict=True)))
    return _performing(together, lambda item: codec.decompress(*item))


def source_pages(sources: Sequence[Any]) -> int:
    """The weight of pages to compress: that of the largest."""
    return -(-max(map(len, sources)) // PAGE_SIZE)


def limit_pages(items: Sequence[tuple[Any, int]]) -> int:
    """The weight of what is to be decompressed: the largest that it may become."""
    largest: int = max(map(itemgetter(1), items))
    return -(-largest // PAGE_SIZE)


def _performing(together: Callable[[list[Any]], list[Any]] | None, one: Callable[[Any], bytes]) -> Perform:
    def perform(items: list[Any]) -> list[Any]:
        if together is not None:
            try:
                outcomes = together(items)
                if len(outcomes) == len(items):
                    return outcomes
            except Exception:  # one of them is to blame; the others get theirs below
                pass
        return [_outcome(one, item) for item in items]

    return perform


def _outcome(work: Callable[[Any], bytes], item: Any) -> Any:
    try:
        return work(item)
    except CodecError:
        return -EINVAL
    except Exception as error:
        return error
