"""Sentences below tables. Lines end between words, where a terminal alone would break a 1/256 at its slash."""

from rich.console import Console


def print_prose(*paragraphs: str) -> None:
    """Print each as a paragraph of its own, as wide as the terminal is."""
    console = Console()
    for paragraph in paragraphs:
        console.print(paragraph, highlight=False, markup=False)
