"""What an `open` function returns: a context that is entered once, and refused politely a second time."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import wraps
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Once(AbstractAsyncContextManager[T], Generic[T]):
    def __init__(self, context: AbstractAsyncContextManager[T], refusal: Callable[[], Exception]) -> None:
        self._context = context
        self._refusal = refusal
        self._entered = False

    async def __aenter__(self) -> T:
        if self._entered:
            raise self._refusal()
        self._entered = True
        return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._context.__aexit__(kind, error, traceback)


def entered_once(
    refusal: Callable[[], Exception],
) -> Callable[[Callable[P, AbstractAsyncContextManager[T]]], Callable[P, AbstractAsyncContextManager[T]]]:
    """Let what the decorated function returns be good for one `async with`; `refusal()` is what another one raises.

    (A context of contextlib's own says there that it has no attribute `args`.)
    """

    def decorate(
        open: Callable[P, AbstractAsyncContextManager[T]],
    ) -> Callable[P, AbstractAsyncContextManager[T]]:
        @wraps(open)
        def opening(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[T]:
            return _Once(open(*args, **kwargs), refusal)

        return opening

    return decorate
