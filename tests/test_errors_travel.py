"""Errors cross from one process to another, as from an executor's or a cluster's: whole, and with their words."""

import pickle

import pytest

import acomp
import iaa_emulator
import zswap

ERRORS = [
    zswap.ParameterError(22, "max_pool_percent", 101, "choose 0 .. 100"),
    zswap.DecompressError(7, "zstd", -22),
    zswap.StoreClosedError("the store is closed"),
    zswap.ValueTooLargeError(1001, 1000, "max_value_bytes; raise it"),
    zswap.ComputeCancelledError("the computation of 'key' was cancelled"),
    iaa_emulator.ConfigurationError(16, "the queue is bound", "Unbind it first."),
    acomp.AlgorithmNotFoundError("there is no 'zst'; did you mean zstd?"),
    acomp.RequestBusyError("request #1 is in flight"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_that_was_pickled_says_and_holds_what_it_did(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert vars(again) == vars(error)
