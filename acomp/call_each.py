"""Calling several functions, whatever one of them raises: for whoever has to tell several others of something."""

from collections.abc import Callable, Iterable


def call_each(calls: Iterable[Callable[[], object]]) -> None:
    """Call all of them. Raises at the end: an interrupt first, else the one error, or several as a group."""
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
