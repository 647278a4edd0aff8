"""Sentences below tables, and what they quote.

Lines end between words, where a terminal alone would break a 1/256 at its slash.
"""


def print_prose(*paragraphs: str) -> None:
    """Print each as a paragraph of its own, as wide as the terminal is."""
    from rich.console import Console  # here, for most commands print none

    console = Console()
    for paragraph in paragraphs:
        console.print(paragraph, highlight=False, markup=False)


def printable(text: str) -> str:
    """`text` for a terminal: what a name or a message holds of control characters is shown, not done."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
