"""Declared points of failure: null by default, decided from outside."""

import pytest

from acomp import fault


def test_nothing_fails_by_default() -> None:
    assert fault.decider is None
    assert not any(fault.should_fail(point) for point in fault.points)


def test_the_serial_runners_state_is_a_declared_point_that_says_what_happens() -> None:
    assert "-ENOMEM" in fault.points["acomp.reqchain_state"]


def test_every_point_is_dotted_and_described() -> None:
    assert fault.points
    for point, what in fault.points.items():
        assert "." in point and what.strip()


def test_the_decider_is_asked_by_name_and_obeyed() -> None:
    asked: list[str] = []

    def third_time(point: str) -> bool:
        asked.append(point)
        return len(asked) == 3

    with fault.installed(third_time):
        assert [fault.should_fail("acomp.reqchain_state") for _ in range(4)] == [False, False, True, False]
    assert asked == ["acomp.reqchain_state"] * 4
    assert not fault.should_fail("acomp.reqchain_state")


def test_the_former_decider_comes_back() -> None:
    with fault.installed(lambda point: True):
        with fault.installed(lambda point: False):
            assert not fault.should_fail("x.y")
        assert fault.should_fail("x.y")
        with pytest.raises(ZeroDivisionError), fault.installed(lambda point: False):
            raise ZeroDivisionError
        assert fault.should_fail("x.y")


def test_a_point_is_declared_once_with_one_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault, "_points", {})
    assert fault.declare("test.point", "it fails") == "test.point"
    assert fault.declare("test.point", "it fails") == "test.point"
    with pytest.raises(ValueError, match=r"test\.point.*declared already, as: it fails"):
        fault.declare("test.point", "it fails otherwise")


def test_points_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        fault.points["x.y"] = "z"  # type: ignore[index]
