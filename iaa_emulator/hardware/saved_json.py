"""A reader of JSON that keeps every value's line, and takes what the parser of `accel-config` (json-c) takes.

Beyond JSON those are trailing commas, `//` and `/* */` comments, single-quoted strings, literals in any case, and
whatever stands behind the document. Strict JSON is read the same way. It knows nothing of what the keys mean.
"""

import errno
import re
from bisect import bisect_right
from typing import Any, Final, NamedTuple, NoReturn

from ..errors import ConfigurationError

DEEPEST: Final = 31
"""Lists and objects in each other; a configuration has six."""
LONGEST_NUMBER: Final = 40
"""Characters. No key takes a number with more than ten."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r"\"([^\"\\]*(?:\\.[^\"\\]*)*)\"|'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_WORD = re.compile(r"[-+.\w]+")
_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS: Final[dict[str, bool | float | None]] = {
    "true": True,
    "false": False,
    "null": None,
    "nan": float("nan"),
    "infinity": float("inf"),
    "-infinity": float("-inf"),
}


class Entry(NamedTuple):
    """A value with its key ("" in a list) and the line, from 1, on which key or item begins; 0 if it is of no file."""

    key: str
    value: "Value"
    line: int


class Object(tuple[Entry, ...]):
    """The entries of an object in file order. A key that came again has its last value, at the first one's place."""

    __slots__ = ()

    def get(self, key: str) -> Entry | None:
        """The entry of `key`."""
        return next((entry for entry in self if entry.key == key), None)


class Array(tuple[Entry, ...]):
    """The items of a list."""

    __slots__ = ()


Value = str | int | float | bool | None | Object | Array


def read(text: str, name: str = "the configuration") -> Entry:
    """The document in `text`, as an entry without a key.

    Raises ConfigurationError, with `name` and the line, for what the parser of accel-config does not take either.
    """
    if text.startswith("\ufeff"):
        raise _unreadable(name, 1, "begins with a byte order mark", "Save it as UTF-8 without one.")
    return _Reader(text, name).document()


def plain(value: Value) -> Any:
    """`value` as dict, list and scalars, without lines."""
    if isinstance(value, Object):
        return {entry.key: plain(entry.value) for entry in value}
    if isinstance(value, Array):
        return [plain(entry.value) for entry in value]
    return value


def tree(value: Any, key: str = "") -> Entry:
    """The inverse of `plain`: an entry, and in it others, of no line."""
    if isinstance(value, dict):
        return Entry(key, Object(tree(inner, name) for name, inner in value.items()), 0)
    if isinstance(value, list):
        return Entry(key, Array(tree(inner) for inner in value), 0)
    return Entry(key, value, 0)


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.depth = 0
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Entry:
        if not self.peek():
            self.refuse("has nothing in it", "Save one with `accel-config save-config -s FILE`.")
        return self.entry("")

    def line(self) -> int:
        return bisect_right(self.line_starts, self.at)

    def refuse(self, cause: str, remedy: str) -> NoReturn:
        raise _unreadable(self.name, self.line(), cause, remedy)

    def peek(self) -> str:
        """The next character that means something; "" at the end."""
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        if self.text.startswith("/*", self.at):
            self.refuse("has a comment that does not end", "Close it with */.")
        return self.text[self.at : self.at + 1]

    def took(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self.at += 1
        return True

    def entry(self, key: str, line: int | None = None) -> Entry:
        start = self.peek()
        line = line or self.line()
        if start in ("{", "["):
            return Entry(key, self.container(start), line)
        return Entry(key, self.string() if start in ('"', "'") else self.word(), line)

    def container(self, opening: str) -> Object | Array:
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse(f"nests lists and objects more than {DEEPEST} deep", "Save the configuration anew.")
        self.at += 1
        closing = "}" if opening == "{" else "]"
        found: list[Entry] = []
        while not self.took(closing):
            found.append(self.pair() if opening == "{" else self.entry(""))
            if not self.took(",") and self.peek() != closing:
                self.refuse(f"lacks a comma or a {closing!r} before this", self.hint())
        self.depth -= 1
        return Object({entry.key: entry for entry in found}.values()) if opening == "{" else Array(found)

    def pair(self) -> Entry:
        if self.peek() not in ('"', "'"):
            self.refuse("has no key in quotes here", self.hint())
        line, key = self.line(), self.string()
        if not self.took(":"):
            self.refuse(f"lacks a colon behind the key {key!r}", self.hint())
        return self.entry(key, line)

    def string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            self.refuse("has a string that does not end", "Close its quotes.")
        body = found[1] if found[1] is not None else found[2]
        if "\\" in body:
            body = _ESCAPE.sub(self.unescaped, body).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self.at = found.end()
        return body

    def unescaped(self, escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPED:
            self.refuse(f"has the escape \\{code} in a string", "Write a backslash itself as \\\\.")
        return _ESCAPED[code]

    def word(self) -> int | float | bool | None:
        found = _WORD.match(self.text, self.at)
        word = found[0] if found else ""
        if not word:
            self.refuse("has no value here", self.hint())
        if len(word) > LONGEST_NUMBER:
            self.refuse(f"has a number or word of {len(word)} characters", "Write the value that is meant.")
        value: int | float | bool | None
        if _INTEGER.fullmatch(word):
            value = int(word)
        elif _DECIMAL.fullmatch(word):
            value = float(word)
        elif word.lower() in _LITERALS:
            value = _LITERALS[word.lower()]
        else:
            self.refuse(f"has the word {word!r}", "Write numbers in decimal, and texts in quotes.")
        self.at += len(word)
        return value

    def hint(self) -> str:
        if self.text.startswith("#", self.at):
            return "Begin comments with //; accel-config knows no #."
        return "Correct it there, or save the configuration anew."


def _unreadable(name: str, line: int, cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(errno.EINVAL, f"{name}:{line} is not JSON: it {cause}", remedy)
