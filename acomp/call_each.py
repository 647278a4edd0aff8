"""Calling several, whatever one of them raises: for those that tell others, and must not leave anybody untold."""

from collections.abc import Callable, Iterable


def call_each(calls: Iterable[Callable[[], object]]) -> None:
    """Call all of them, whatever one raises, and then raise that: an interrupt first, else all there is, as a group."""
    errors: list[Exception] = []
    interrupts: list[BaseException] = []
    for call in calls:
        try:
            call()
        except Exception as error:
            errors.append(error)
        except BaseException as error:
            interrupts.append(error)
    if interrupts:
        raise interrupts[0]
    if len(errors) > 1:
        raise ExceptionGroup("several raised that were told", errors)
    if errors:
        raise errors[0]
