"""What is refused of a command's arguments before the command sees them, in our words and in one place.

Typer leaves values to pydantic, which takes 1_0 for ten and speaks to programmers. Every command is a `Command`.
"""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from swaplab.model.asked import quoted, whole_number

OURS = "Value error, "
"""What pydantic puts before the message of somebody else."""


class Command(TyperCommand):
    """A command that takes no empty text, and numbers in digits only; both are refused with what to write instead."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        texts, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for param in self.params:
            for text in _texts(texts.get(param.name or "")):
                if isinstance(param, TyperArgument | TyperOption) and (why := _refused(param, text)):
                    raise typer.BadParameter(why, ctx=ctx, param=param)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as refused:
            refused.message = refused.message.removeprefix(OURS).rstrip(".")
            raise


def _texts(value: object) -> Iterator[str]:
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str):
            yield text


def _refused(param: TyperArgument | TyperOption, text: str) -> str:
    """Why `text` is no value of `param`, and what would be one; "" if nothing is known against it."""
    if not text:
        return "it is empty; write a value, or leave it out"
    if param.type_descriptor.annotation is not int:
        return ""
    wanted = f"write {_range(param.min, param.max)}"
    try:
        number = whole_number(text)
    except ValueError:
        return f"{quoted(text)} is no whole number; {wanted}"
    below = param.min is not None and number < param.min
    above = param.max is not None and number > param.max
    return f"{quoted(text)} is too {'small' if below else 'large'}; {wanted}" if below or above else ""


def _range(least: float | None, most: float | None) -> str:
    bounds = [f"{word} {bound:.0f}" for word, bound in (("from", least), ("to", most)) if bound is not None]
    return " ".join(["one", *bounds] if bounds else ["one such as 3"])
