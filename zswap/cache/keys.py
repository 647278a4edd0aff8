"""Keys: str or bytes, at most 1,024 bytes, always of the exact type, so that no subclass decides what is equal."""

import sys
from typing import Final

Key = str | bytes

MAX_KEY_BYTES: Final = 1024
SURELY_SHORT: Final = MAX_KEY_BYTES // 4
"""A str of so many characters is short enough, whatever they are: nobody need encode it to find out."""


def check_key(key: object) -> Key:
    """The key as an exact str or bytes. TypeError for anything else, ValueError if it is too long as UTF-8."""
    if isinstance(key, str):
        text = str.__str__(key)
        length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        _check_length(length)
        return text
    if isinstance(key, bytes):
        _check_length(len(key))
        return key if type(key) is bytes else b"".join((key,))
    remedy = "give bytes(key)" if isinstance(key, (bytearray, memoryview)) else "give str(key), for example"
    raise TypeError(f"a key is a str or bytes, not {type(key).__name__}; {remedy}")


def key_bytes(key: Key) -> int:
    """What `sys.getsizeof` says of the key, and will say whenever it is asked.

    (A str that is not ASCII grows when C code asks for its UTF-8 form, which is kept with it. A copy has none.)
    """
    if isinstance(key, bytes) or key.isascii():
        return sys.getsizeof(key)
    return sys.getsizeof(key[:1] + key[1:])


def _check_length(length: int) -> None:
    if length > MAX_KEY_BYTES:
        raise ValueError(f"a key has at most {MAX_KEY_BYTES} bytes as UTF-8, not {length}; use a digest of it")
