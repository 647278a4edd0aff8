"""Two flag words on a request, `req.flags` and `req.base.flags`, that must never be merged."""

import pytest

from acomp import (
    CRYPTO_ACOMP_ALLOC_OUTPUT as ALLOC_OUTPUT,
)
from acomp import (
    CRYPTO_ACOMP_REQ_POLL as POLL,
)
from acomp import (
    CRYPTO_TFM_REQ_CHAIN as CHAIN,
)
from acomp import (
    CRYPTO_TFM_REQ_MAY_BACKLOG as MAY_BACKLOG,
)
from acomp import (
    CRYPTO_TFM_REQ_MAY_SLEEP as MAY_SLEEP,
)
from acomp import (
    CryptoWait,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_chain,
    acomp_request_set_callback,
    acomp_request_set_params,
    crypto_req_done,
)
from tests.acomp.algorithms import requests


def test_set_params_sets_alloc_output_iff_there_is_no_destination() -> None:
    (req,) = requests(1)
    acomp_request_set_params(req, b"x", None, 1, 0)
    assert req.flags == ALLOC_OUTPUT
    acomp_request_set_params(req, b"x", bytearray(1), 1, 1)
    assert req.flags == 0


def test_set_params_leaves_poll_and_the_generic_word_alone() -> None:
    (req,) = requests(1)
    req.flags = POLL
    req.base.flags = MAY_SLEEP | CHAIN
    acomp_request_set_params(req, b"x", None, 1, 0)
    assert (req.flags, req.base.flags) == (POLL | ALLOC_OUTPUT, MAY_SLEEP | CHAIN)
    acomp_request_set_params(req, b"x", bytearray(1), 1, 1)
    assert (req.flags, req.base.flags) == (POLL, MAY_SLEEP | CHAIN)


@pytest.mark.parametrize("old", [0, 0x1, 0x2, MAY_SLEEP, CHAIN, 0xFFFFFFFF])
@pytest.mark.parametrize("flags", [0, 0x1, 0x2, MAY_SLEEP, MAY_BACKLOG, MAY_SLEEP | MAY_BACKLOG])
def test_set_callback_keeps_only_the_alloc_output_bit_of_the_old_generic_word(old: int, flags: int) -> None:
    (req,) = requests(1)
    req.base.flags = old
    acomp_request_set_callback(req, flags, None, None)
    assert req.base.flags == (old & 0x1) | (flags & ~0x1)


def test_set_callback_always_clears_chain() -> None:
    (req,) = requests(1)
    acomp_reqchain_init(req, 0, None, None)
    acomp_request_set_callback(req, 0, None, None)
    assert not acomp_is_reqchain(req)
    acomp_request_set_callback(req, CHAIN | MAY_SLEEP, None, None)
    assert req.base.flags == MAY_SLEEP


def test_set_callback_leaves_the_acomp_word_alone() -> None:
    (req,) = requests(1)
    req.flags = POLL | ALLOC_OUTPUT
    acomp_request_set_callback(req, MAY_BACKLOG, None, None)
    assert req.flags == POLL | ALLOC_OUTPUT


def test_poll_in_the_acomp_word_is_not_bit_two_of_the_generic_word() -> None:
    (req,) = requests(1)
    req.flags |= POLL
    assert req.base.flags == 0
    req.base.flags |= 0x2
    req.flags &= ~POLL
    assert (req.flags, req.base.flags) == (0, 0x2)


def test_building_and_ending_a_chain_never_touches_the_acomp_word() -> None:
    head, member = requests(2)
    for req in (head, member):
        req.flags = POLL
    acomp_reqchain_init(head, 0, None, None)
    acomp_request_chain(member, head)
    acomp_reqchain_clear(head, CryptoWait())
    assert [head.flags, member.flags] == [POLL, POLL]


def test_flags_of_a_head_during_and_after_a_batch() -> None:
    """Init with flags 0 turns MAY_BACKLOG off, clear brings it back; members have none."""
    head, member = requests(2)
    acomp_request_set_callback(head, MAY_BACKLOG, crypto_req_done, CryptoWait())
    acomp_reqchain_init(head, 0, crypto_req_done, CryptoWait())
    acomp_request_chain(member, head)
    assert head.base.flags == CHAIN
    assert (member.base.flags, member.base.complete, member.base.data) == (0, None, None)
    acomp_reqchain_clear(head, CryptoWait())
    assert head.base.flags == MAY_BACKLOG
