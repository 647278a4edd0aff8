"""Pages to test with, from the most regular to the most random."""

import hashlib

from ..flags import PAGE_SIZE


def sample_pages() -> dict[str, bytes]:
    """Pages by name: constant, regular, text-like, half random and random ones; the same in every process."""
    octets = noise("page", PAGE_SIZE)
    words = [octets[i : i + 2 + octets[i] % 7].hex().encode() for i in range(64)]
    return {
        "zero": bytes(PAGE_SIZE),
        "one byte": b"x" * PAGE_SIZE,
        "counters": b"".join(i.to_bytes(8, "little") for i in range(512)),
        "text": b" ".join(words[octet % 64] for octet in octets)[:PAGE_SIZE],
        "half random": octets[: PAGE_SIZE // 2] + bytes(PAGE_SIZE // 2),
        "random": octets,
    }


def noise(name: str, size: int) -> bytes:
    """Incompressible bytes without a generator: a hash of the name, extended."""
    return hashlib.shake_128(name.encode()).digest(size)
