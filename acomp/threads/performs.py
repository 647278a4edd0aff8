"""What a thread does with a run of items: the codecs' side of the lanes. No request and no unit is in here."""

from collections.abc import Callable, Sequence
from errno import EINVAL
from typing import Any

from ..codecs import CODECS, CodecError
from ..flags import PAGE_SIZE
from .lanes import Perform


def compressing(name: str) -> Perform:
    """For one thread: compress pages; an exception of the codec is that page's outcome alone."""
    codec = CODECS[name]()
    compress_many = getattr(codec, "compress_many", None)  # zstd has it

    def perform(pages: list[Any]) -> list[Any]:
        if compress_many is not None:
            try:
                frames: list[Any] = compress_many(pages)
                if len(frames) == len(pages):
                    return frames
            except Exception:  # one of them is to blame; the others get their frames below
                pass
        return [_outcome(codec.compress, page) for page in pages]

    return perform


def decompressing(name: str) -> Perform:
    """For one thread: decompress pairs of a source and its limit; -EINVAL for what does not decompress."""
    codec = CODECS[name]()

    def perform(items: list[Any]) -> list[Any]:
        return [_outcome(codec.decompress, *item) for item in items]

    return perform


def source_pages(sources: Sequence[Any]) -> int:
    """The weight of pages to compress: that of the largest."""
    return -(-max(map(len, sources)) // PAGE_SIZE)


def limit_pages(items: Sequence[tuple[Any, int]]) -> int:
    """The weight of what is to be decompressed: the largest that it may become."""
    return -(-max(limit for _, limit in items) // PAGE_SIZE)


def _outcome(work: Callable[..., bytes], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except CodecError:
        return -EINVAL
    except Exception as error:
        return error
