"""Algorithms and how they are found: names, priorities, driver names, registries."""

import asyncio
import contextvars
from collections.abc import Iterator
from errno import EEXIST, ENOENT
from typing import Any, cast

import pytest

import acomp
from acomp import (
    AlgorithmNotFoundError,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_has_acomp,
    crypto_register_acomp,
    crypto_unregister_acomp,
    crypto_wait_req,
)
from tests.acomp.algorithms import PAGE, algorithm

SOFTWARE = {"deflate", "zstd", "lz4", "lzo"}


@pytest.fixture
def fresh() -> Iterator[acomp.Registry]:
    """A registry of the test's own."""
    with acomp.registry() as registry:
        yield registry


def found(name: str) -> str:
    """The driver name that `name` resolves to."""
    return crypto_alloc_acomp(name).alg.cra_driver_name


class TestLookUp:
    def test_by_name_the_highest_priority_wins(self, fresh: acomp.Registry) -> None:
        for driver_name, priority in (("x-low", 10), ("x-high", 300), ("x-middle", 200)):
            assert crypto_register_acomp(algorithm(name="x", driver_name=driver_name, priority=priority)) == 0
        assert found("x") == "x-high"

    def test_by_driver_name_exactly_that_one(self, fresh: acomp.Registry) -> None:
        for driver_name, priority in (("x-low", 10), ("x-high", 300)):
            crypto_register_acomp(algorithm(name="x", driver_name=driver_name, priority=priority))
        assert found("x-low") == "x-low"

    def test_a_driver_name_that_is_anothers_name_means_the_driver(self, fresh: acomp.Registry) -> None:
        crypto_register_acomp(algorithm(name="x", driver_name="x-fast", priority=300))
        crypto_register_acomp(algorithm(name="y", driver_name="x", priority=1))
        assert found("x") == "x"

    def test_hardware_takes_over_a_software_name_and_gives_it_back(self, fresh: acomp.Registry) -> None:
        device = algorithm(name="deflate", driver_name="deflate-device", priority=300)
        software = found("deflate")
        crypto_register_acomp(device)
        assert found("deflate") == "deflate-device"
        assert found(software) == software
        crypto_unregister_acomp(device)
        assert found("deflate") == software

    def test_has_answers_by_both_names(self, fresh: acomp.Registry) -> None:
        assert not crypto_has_acomp("x")
        crypto_register_acomp(algorithm(name="x", driver_name="x-test"))
        assert crypto_has_acomp("x") and crypto_has_acomp("x-test")
        assert not crypto_has_acomp("x-tes")

    @pytest.mark.parametrize(("wrong", "nearest"), [("zst", "zstd"), ("deflat-generic", "deflate-generic")])
    def test_an_unknown_name_names_the_nearest(self, fresh: acomp.Registry, wrong: str, nearest: str) -> None:
        with pytest.raises(
            AlgorithmNotFoundError, match=f"no algorithm '{wrong}'.*did you mean .*'{nearest}'"
        ) as error:
            crypto_alloc_acomp(wrong)
        assert error.value.errno == ENOENT

    def test_an_unknown_name_like_no_other_gets_the_whole_list(self, fresh: acomp.Registry) -> None:
        with pytest.raises(AlgorithmNotFoundError) as error:
            crypto_alloc_acomp("????")
        assert all(name in str(error.value) for name in SOFTWARE)

    @pytest.mark.parametrize("wrong", [None, 5, b"zstd"])
    def test_a_name_is_a_str(self, fresh: acomp.Registry, wrong: Any) -> None:
        for look_up in (crypto_alloc_acomp, crypto_has_acomp):
            with pytest.raises(TypeError, match=f"named by a str, not {type(wrong).__name__}"):
                cast(Any, look_up)(wrong)


class TestRegistering:
    def test_a_taken_driver_name_is_eexist_and_changes_nothing(self, fresh: acomp.Registry) -> None:
        first = algorithm(name="x", driver_name="x-test")
        assert crypto_register_acomp(first) == 0
        assert crypto_register_acomp(first) == -EEXIST
        assert crypto_register_acomp(algorithm(name="y", driver_name="x-test", priority=999)) == -EEXIST
        assert crypto_alloc_acomp("x").alg is first
        assert not crypto_has_acomp("y")

    def test_unregistering_what_is_not_registered_is_enoent(self, fresh: acomp.Registry) -> None:
        registered = algorithm()
        assert crypto_unregister_acomp(registered) == -ENOENT
        crypto_register_acomp(registered)
        assert crypto_unregister_acomp(algorithm()) == -ENOENT, "another algorithm of the same name"
        assert crypto_unregister_acomp(registered) == 0
        assert crypto_register_acomp(registered) == 0

    @pytest.mark.parametrize("wrong", [None, "zstd", object()])
    def test_only_algorithms_are_registered(self, fresh: acomp.Registry, wrong: Any) -> None:
        for function in (crypto_register_acomp, crypto_unregister_acomp):
            with pytest.raises(TypeError, match="AcompAlg"):
                function(wrong)

    async def test_a_live_transform_goes_on_after_its_algorithm_was_unregistered(self, fresh: acomp.Registry) -> None:
        alg = algorithm()
        crypto_register_acomp(alg)
        tfm = crypto_alloc_acomp("null")
        crypto_unregister_acomp(alg)
        with pytest.raises(AlgorithmNotFoundError):
            crypto_alloc_acomp("null")
        req = acomp.acomp_request_alloc(tfm)
        dst = bytearray(4096)
        acomp.acomp_request_set_params(req, PAGE, dst, 4096, 4096)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert dst == PAGE


class TestAlgorithm:
    @pytest.mark.parametrize("field", ["cra_name", "cra_driver_name"])
    @pytest.mark.parametrize("wrong", ["", " x", "x\n", None, 5])
    def test_names_are_names(self, field: str, wrong: object) -> None:
        good: dict[str, Any] = {
            "cra_name": "x",
            "cra_driver_name": "x-test",
            "cra_priority": 1,
            "cra_flags": 0,
            "compress": len,
            "decompress": len,
        }
        acomp.AcompAlg(**good)
        with pytest.raises((TypeError, ValueError), match=field):
            acomp.AcompAlg(**{**good, field: wrong})

    @pytest.mark.parametrize("field", ["cra_priority", "cra_flags", "compress", "decompress"])
    @pytest.mark.parametrize("wrong", ["", None, 1.5])
    def test_the_rest_has_its_types(self, field: str, wrong: object) -> None:
        good: dict[str, Any] = {"flags": 0, "priority": 1, "compress": len, "decompress": len}
        with pytest.raises(TypeError, match=field):
            algorithm(**{**good, field.removeprefix("cra_"): wrong})

    @pytest.mark.parametrize("field", ["batch_size", "init", "exit"])
    def test_the_optional_methods_are_functions_or_none(self, field: str) -> None:
        options: dict[str, Any] = {field: 8}
        with pytest.raises(TypeError, match=field):
            algorithm(**options)

    def test_it_is_immutable(self) -> None:
        with pytest.raises(AttributeError):
            cast(Any, algorithm()).cra_priority = 1000

    def test_methods_are_copied_to_the_transform(self, fresh: acomp.Registry) -> None:
        alg = algorithm(batch_size=lambda: 4)
        crypto_register_acomp(alg)
        tfm = crypto_alloc_acomp("null")
        assert (tfm.compress, tfm.decompress, tfm.get_batch_size) == (alg.compress, alg.decompress, alg.get_batch_size)
        assert tfm.alg is alg

    def test_init_and_exit_frame_the_life_of_a_transform(self, fresh: acomp.Registry) -> None:
        lives: list[tuple[str, object]] = []

        def init(tfm: acomp.CryptoAcomp) -> None:
            tfm.ctx = object()
            lives.append(("init", tfm.ctx))

        crypto_register_acomp(algorithm(init=init, exit=lambda tfm: lives.append(("exit", tfm.ctx))))
        tfm = crypto_alloc_acomp("null")
        assert lives == [("init", tfm.ctx)]
        crypto_free_acomp(tfm)
        assert lives == [("init", tfm.ctx), ("exit", tfm.ctx)]

    def test_an_error_of_init_reaches_who_allocates(self, fresh: acomp.Registry) -> None:
        def init(tfm: acomp.CryptoAcomp) -> None:
            raise OSError(19, "no device")

        crypto_register_acomp(algorithm(init=init))
        with pytest.raises(OSError, match="no device"):
            crypto_alloc_acomp("null")


class TestRegistries:
    def test_a_fresh_one_holds_the_software_algorithms_only(self, fresh: acomp.Registry) -> None:
        assert {alg.cra_name for alg in fresh} == SOFTWARE
        assert len(list(fresh)) == len(SOFTWARE)

    def test_the_default_one_holds_the_software_algorithms(self) -> None:
        assert {alg.cra_name for alg in acomp.current_registry()} >= SOFTWARE

    def test_what_is_registered_inside_is_unknown_outside(self) -> None:
        outside = acomp.current_registry()
        with acomp.registry() as first:
            assert acomp.current_registry() is first is not outside
            crypto_register_acomp(algorithm())
            with acomp.registry() as second:
                assert acomp.current_registry() is second
                assert not crypto_has_acomp("null")
                assert crypto_register_acomp(algorithm()) == 0, "the driver name is free here"
            assert acomp.current_registry() is first
            assert crypto_has_acomp("null")
        assert acomp.current_registry() is outside
        assert not crypto_has_acomp("null")

    def test_an_exception_inside_leaves_the_outer_one_current(self) -> None:
        outside = acomp.current_registry()
        with pytest.raises(ZeroDivisionError), acomp.registry():
            raise ZeroDivisionError
        assert acomp.current_registry() is outside

    async def test_a_task_keeps_the_registry_it_was_started_in(self) -> None:
        go_on = asyncio.Event()

        async def look() -> bool:
            await go_on.wait()
            return crypto_has_acomp("null")

        with acomp.registry():
            crypto_register_acomp(algorithm())
            inside = asyncio.create_task(look())
        outside = asyncio.create_task(look())
        go_on.set()
        assert await inside and not await outside

    async def test_tasks_side_by_side_have_their_own(self) -> None:
        async def alone(turn: int) -> int:
            with acomp.registry():
                assert crypto_register_acomp(algorithm(priority=turn)) == 0
                await asyncio.sleep(0)
                return crypto_alloc_acomp("null").alg.cra_priority

        assert await asyncio.gather(*(alone(turn) for turn in range(4))) == [0, 1, 2, 3]

    def test_a_transform_outlives_its_registry(self) -> None:
        with acomp.registry():
            crypto_register_acomp(algorithm())
            tfm = crypto_alloc_acomp("null")
        acomp.acomp_request_free(acomp.acomp_request_alloc(tfm))
        crypto_free_acomp(tfm)

    def test_it_is_a_matter_of_context(self) -> None:
        with acomp.registry() as inner:
            context = contextvars.copy_context()
        assert context.run(acomp.current_registry) is inner
