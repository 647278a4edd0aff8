"""Flags and limits of the acomp interface, under the kernel's names and with its values (docs/kernel.md#flags).

A request carries **two** flag words that must not be merged: the acomp word `req.flags` (POLL, ALLOC_OUTPUT) and the
generic word `req.base.flags` (MAY_SLEEP, MAY_BACKLOG, CHAIN). Bit values repeat between the two and mean other things.
"""

from typing import Final

PAGE_SIZE: Final = 4096
"""Bytes of a page; what zswap compresses at a time."""

# The acomp word of a request, `req.flags`.
CRYPTO_ACOMP_ALLOC_OUTPUT: Final = 0x00000001
"""`dst` was None in set_params: the algorithm allocates the output."""
CRYPTO_ACOMP_REQ_POLL: Final = 0x00000002
"""Submit and poll (patch 3). The driver's batch wrapper sets and clears it; it is not the user's to keep."""
CRYPTO_ACOMP_OUTPUT_ONLY: Final = 0x00000100
"""Ours: the owner reads `req.output` where that is set, so that nothing need be copied to `dst`, whose bytes are then
undefined. An algorithm without such an object writes to `dst` and sets no output."""

# The generic word of a request, `req.base.flags`.
CRYPTO_TFM_REQ_MAY_SLEEP: Final = 0x00000200
CRYPTO_TFM_REQ_MAY_BACKLOG: Final = 0x00000400
CRYPTO_TFM_REQ_CHAIN: Final = 0x00000800
"""This request is the *head* of a chain (patch 1). Members do not carry it."""

# Flags of an algorithm, `alg.cra_flags`.
CRYPTO_ALG_ASYNC: Final = 0x00000080
"""The method may return -EINPROGRESS and complete later."""
CRYPTO_ALG_REQ_CHAIN: Final = 0x00040000
"""The algorithm understands request chains (patch 1)."""
CRYPTO_ALG_REQ_SEG: Final = 0x00100000
"""The algorithm takes requests of several units (v14). Others get exactly one, as a plain request."""

CRYPTO_ACOMP_DST_MAX: Final = 131072
"""Bytes; the upper limit of an output that the algorithm allocates, and of any software request."""
