"""Which scenarios `swaplab stress` knows, and which its arguments mean: ours, and those of users' files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from swaplab.stress import Scenario
from swaplab.stress.source import scenarios_of
from swaplab.stress.token import is_of, scenario_of

SUFFIX = ".py"


def _zoo() -> dict[str, Scenario]:
    from swaplab.stress.zoo import BUGS

    programs = [program for bug in BUGS.values() for program in (bug.faulty, bug.correct)]
    return {f"zoo.{program.body.__name__}": program for program in programs}


def _correct() -> dict[str, Scenario]:
    from swaplab.stress.zoo import BUGS

    return {f"zoo.{bug.correct.body.__name__}": bug.correct for bug in BUGS.values()}


def _campaigns() -> dict[str, Scenario]:
    from swaplab.campaigns.scenarios import SCENARIOS  # takes long to import, and is asked for late

    return SCENARIOS


def _known() -> dict[str, Scenario]:
    return _campaigns() | _zoo()


GROUPS: dict[str, Callable[[], dict[str, Scenario]]] = {
    "all": lambda: _campaigns() | _correct(),
    "campaigns": _campaigns,
    "zoo": _zoo,
}
"""What a single word means: `all` is whatever must hold."""


def chosen(names: Sequence[str]) -> dict[str, Scenario]:
    """The scenarios that are meant by NAME, GROUP, FILE.py and FILE.py::NAME, by the names that mean each alone.

    Raises:
        ValueError: There is no such scenario; the message says what there is.
    """
    found: dict[str, Scenario] = {}
    for name in names:
        file, _, inside = name.partition("::")
        if file.endswith(SUFFIX) or "::" in name:
            found |= _of_file(file, inside)
        else:
            found |= _ours(name)
    if not found:
        raise ValueError(f"name what to explore: {', '.join(GROUPS)}, one of {_listed(_known())}, or FILE.py::NAME")
    return found


def replayed(names: Sequence[str], token: str) -> tuple[str, Scenario]:
    """The scenario that a token is of, among those that are named, or among all of ours.

    Raises:
        ValueError: It is not there.
    """
    among = chosen(names) if names else _known()
    for name, scenario in among.items():
        if is_of(token, scenario.name):
            return name, scenario
    raise ValueError(
        f"the token is of {scenario_of(token)}, and not of {_listed(among)}: name its file, as in "
        "swaplab stress FILE.py::NAME --replay TOKEN"
    )


def _of_file(file: str, inside: str) -> Mapping[str, Scenario]:
    if not file.endswith(SUFFIX):
        _refuse_a_file_without_its_suffix(file, inside)
    there = scenarios_of(Path(file))
    if inside and inside not in there:
        raise ValueError(f"{file} has no scenario {inside!r}: there is {_listed(there)}")
    return {f"{file}::{name}": one for name, one in there.items() if inside in ("", name)}


def _ours(name: str) -> Mapping[str, Scenario]:
    if name in GROUPS:
        return GROUPS[name]()
    for there in (_zoo, _campaigns):
        if name in (ours := there()):
            return {name: ours[name]}
    _refuse_a_file_without_its_suffix(name)
    raise ValueError(
        f"there is no scenario {name!r}: there is {', '.join(GROUPS)}, {_listed(_known())}, or FILE.py::NAME"
    )


def _refuse_a_file_without_its_suffix(name: str, inside: str = "") -> None:
    if Path(name + SUFFIX).is_file():
        meant = f"{name}{SUFFIX}::{inside}" if inside else name + SUFFIX
        raise ValueError(f"there is no scenario {name!r}: did you mean {meant}?")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names)
