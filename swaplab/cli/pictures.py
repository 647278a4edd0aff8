"""Pictures of pipelines on the terminal: the letters of their rows in colours."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from swaplab.story.pipeline import WIDTH, Line

STYLES = {"S": "cyan", "E": "magenta", "=": "magenta", "L": "green", "P": "bold green", "o": "dim", "x": "bold red"}
"""Colours of the rows' letters that can be read on black and on white."""


def width_of(console: Console) -> int:
    """Characters of a line: as wide as the terminal, if it is one."""
    return console.width if console.is_terminal else WIDTH


def show(console: Console, picture: Iterable[Line]) -> None:
    """Print a picture."""
    for line in picture:
        text = Text(str(line), no_wrap=True)
        for column, letter in enumerate(line.cells, len(line.label)):
            if letter in STYLES:
                text.stylize(STYLES[letter], column, column + 1)
        console.print(text, highlight=False, soft_wrap=True)
