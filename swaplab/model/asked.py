"""What users write for numbers: scales and lists, read within bounds, so that no text asks for more than there is."""

import re
from fractions import Fraction

MOST_SEED = 1_000_000_000
SCALE = re.compile(r"\d{1,18}(/\d{1,18})?|\d{0,18}\.\d{1,18}", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
SIZE = re.compile(r"(\d{1,18})([KMGTkmgt]?)", re.ASCII)
MOST_QUOTED = 60
"""Characters of what was given that are repeated in a refusal."""


def parse_scale(text: str) -> Fraction:
    """A scale such as 1/64 or 0.25, above 0 and up to 1; ValueError says what to write instead."""
    try:
        scale = Fraction(text) if SCALE.fullmatch(text.strip()) else None
    except ZeroDivisionError:
        scale = None
    if scale is None:
        raise ValueError(f"{quoted(text)} is no fraction; write 1/64, for example")
    if not 0 < scale <= 1:
        raise ValueError(f"{text} is not above 0 and up to 1; write 1/64, for example")
    return scale


def whole_number(text: str) -> int:
    """A number in decimal digits, with its sign; ValueError for what else Python takes for one, as 1_0."""
    if not WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{quoted(text)} is no whole number")
    return int(text)


def parse_numbers(text: str, most: int) -> list[int]:
    """Different numbers from 1 to `most`, in the order given; ValueError, with nothing in it, for anything else."""
    numbers = list(dict.fromkeys(whole_number(part) for part in text.split(",")))
    if not all(1 <= number <= most for number in numbers):
        raise ValueError
    return numbers


def parse_size(text: str, most: int) -> int:
    """A number of bytes from 1 to `most`, with K, M, G or T for powers of 1024; ValueError says what to write."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{quoted(text)} is no size; write a number of bytes, or one such as 64K, 512M or 1G")
    size = int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")
    if not 1 <= size <= most:
        raise ValueError(f"{quoted(text)} is not from 1 to {most} bytes; write 1G, for example")
    return size


def shortened(text: str) -> str:
    """`text`, but not all of it where it is long."""
    return text if len(text) <= MOST_QUOTED else text[:MOST_QUOTED] + "..."


def quoted(text: str) -> str:
    """The same in quotes."""
    return repr(shortened(text))
