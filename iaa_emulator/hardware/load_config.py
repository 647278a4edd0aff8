"""What `accel-config load-config` does with a saved file.

Loading is a sequence of writes: each key, in file order, to the object that `dev` names, which is in reset state.
Nesting means nothing. Every write that fails is told, and loading goes on with the old value, though the tool stops.
What one write does is in `config_rules`, what becomes of the devices then in `outcomes`.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import ConfigurationError, Place
from .config import MAX_ENGINES, MAX_GROUPS, MAX_WORK_QUEUES, NO_GROUP, DeviceConfig
from .config_rules import engine_group, refusal, write
from .saved_json import Array, Entry, Object, Value
from .saved_keys import CONSTANTS, LISTS, PASSED_OVER, WRITTEN

_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")
_ANY_NUMBER = r"([-\w<>{}$%*?]*)"  # a template has something else in its place
_DEVICE = re.compile(rf"(iax|dsa){_ANY_NUMBER}")
_PART = re.compile(rf"(group|wq|engine){_ANY_NUMBER}\.{_ANY_NUMBER}")
_MOST: Final = {"group": MAX_GROUPS, "wq": MAX_WORK_QUEUES, "engine": MAX_ENGINES}


class Advice(NamedTuple):
    """A sentence or two about what nothing refuses, and the place in the file that they are about, if there is one."""

    text: str
    at: Place | None = None


@dataclass
class Loaded:
    """What loading left behind: IAA devices in the order of the file, and what was refused and noticed meanwhile.

    `written` is the last entry of each key, by the object's name and the key. `dsa_queues` has the DSA device of each
    of its queues; they are not iaa_crypto's business, and nothing that is written to them is judged.
    """

    devices: list[DeviceConfig] = field(default_factory=list)
    written: dict[tuple[str, str], Entry] = field(default_factory=dict)
    refused: list[ConfigurationError] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    dsa_queues: dict[str, str] = field(default_factory=dict)

    def place(self, name: str, key: str) -> Place:
        """Where `key` of the object stands; the line of its `dev` if it was not written."""
        entry = self.written.get((name, key)) or self.written.get((name, "dev"))
        return Place(name, key, entry.line if entry else 0)

    def advise(self, text: str, name: str, entry: Entry) -> None:
        """Note what should be said of an entry."""
        self.advice.append(Advice(text, Place(name, entry.key, entry.line)))

    def refuse(self, error: ConfigurationError, name: str, entry: Entry) -> None:
        """Note a write that failed."""
        error.at = Place(name, entry.key, entry.line)
        self.refused.append(error)


def load_config(document: Array) -> Loaded:
    """Write all that a list of devices says, in its order, to devices in reset state."""
    loader = _Loader()
    parts = list(loader.parts(document, ""))
    for part in parts:
        loader.meet(part)
    for part in parts:
        loader.apply(part)
    for entry in _empty_lists(Entry("", document, 1)):
        loader.into.refuse(
            refusal("an empty list ends the load", "Put something into it, or leave it out with its key."), "", entry
        )
    return loader.into


def _empty_lists(entry: Entry) -> Iterator[Entry]:
    if isinstance(entry.value, Array) and not entry.value:
        yield entry
    for inner in entry.value if isinstance(entry.value, Array | Object) else ():
        yield from _empty_lists(inner)


class _Part(NamedTuple):
    """An object of the file: its name, its keys, and the name of the object that it is listed in ("" for none)."""

    name: str
    keys: Object
    inside: str

    @property
    def dev(self) -> Entry:
        """The entry that names it."""
        return next(entry for entry in self.keys if entry.key == "dev")


class _Loader:
    def __init__(self) -> None:
        self.into = Loaded()
        self.iax: dict[str, DeviceConfig] = {}
        self.dsa: set[str] = set()

    def parts(self, items: Array, inside: str) -> Iterator[_Part]:
        """Every object that has a name, in file order; those that have none are refused."""
        for item in items:
            keys = item.value if isinstance(item.value, Object) else Object()
            dev = keys.get("dev")
            if dev is None or not isinstance(dev.value, str):
                error = refusal("nothing can be written to an object without a name", 'Name it: "dev": "wq1.0".')
                self.into.refuse(error, "", dev or Entry("dev", None, item.line))
                continue
            yield _Part(dev.value, keys, inside)
            for entry in keys:
                if entry.key in LISTS and isinstance(entry.value, Array):
                    yield from self.parts(entry.value, dev.value)

    def meet(self, part: _Part) -> None:
        """A device is there before anything is written, wherever the file comes to speak of it."""
        match = _DEVICE.fullmatch(part.name)
        if match and match[1] == "dsa":
            self.dsa.add(match[2])
        elif match and match[2] not in self.iax:
            self.iax[match[2]] = DeviceConfig(part.name)
            self.into.devices.append(self.iax[match[2]])

    def apply(self, part: _Part) -> None:
        """Write the keys of an object, if it is one of an IAA device that can be."""
        match = _PART.fullmatch(part.name)
        kind, number, index = (match[1], match[2], match[3]) if match else ("", "", "")
        if not match:
            self.device(part)
        elif number not in self.iax:
            if number not in self.dsa:
                self.into.refuse(_homeless(part.name, number), part.name, part.dev)
            elif kind == "wq":
                self.into.dsa_queues[part.name] = f"dsa{number}"
        elif not _NUMBER.fullmatch(index) or int(index) >= _MOST[kind]:
            remedy = f"It has {_MOST[kind]} of this kind, numbered from 0."
            self.into.refuse(refusal(f"iax{number} has no {part.name}", remedy, errno.ENXIO), part.name, part.dev)
        else:
            self.write(part, kind, self.iax[number])

    def device(self, part: _Part) -> None:
        match = _DEVICE.fullmatch(part.name)
        if not match:
            cause = f"{part.name!r} names no device, group, queue or engine"
            error = refusal(cause, "Name it as in iax1, group1.0, wq1.0.", errno.ENODEV)
            self.into.refuse(error, part.name, part.dev)
        elif not _NUMBER.fullmatch(match[2]):
            self.into.refuse(_misnumbered(part.name, match[2]), part.name, part.dev)
        if match and match[1] == "iax":
            device = self.iax[match[2]]
            self.write(part, "device", device)
            pasid = part.keys.get("pasid_enabled")
            if pasid is not None:
                device.pasid_enabled = self.flag(part.name, pasid)

    def flag(self, name: str, entry: Entry) -> bool | None:
        """What 0 or 1 says; in quotes it says the same, with advice, and anything else says nothing."""
        said = {"0": False, "1": True}.get(str(entry.value))
        if isinstance(entry.value, bool):
            return entry.value
        if said is None or not isinstance(entry.value, int):
            self.into.advise(f"{entry.key} of {name} is 0 or 1. Write it as a number.", name, entry)
        return said

    def write(self, part: _Part, kind: str, device: DeviceConfig) -> None:
        """Each key as one write; what stands before `dev` as if it stood behind it."""
        name, first = part.name, part.keys[0]
        if first.key != "dev":
            self.into.advise(f"keys of {name} before its dev are taken as behind it. Begin with dev.", name, first)
        for entry in part.keys:
            self.into.written[name, entry.key] = entry
            if entry.key in LISTS:
                if not isinstance(entry.value, Array):
                    self.into.refuse(refusal(f"{entry.key} of {name} is no list", "Write a list."), name, entry)
            elif entry.key in WRITTEN.get(kind, ()):
                self.attempt(device, kind, name, entry)
            elif entry.key != "dev":
                self.pass_over(kind, name, entry)
        if kind in WRITTEN:
            self.compare_groups(part, self.group(device, kind, name))

    def attempt(self, device: DeviceConfig, kind: str, name: str, entry: Entry) -> None:
        remark = None
        try:
            if kind == "wq":
                remark = write(device, device.work_queue(name), entry.key, entry.value)
            else:
                device.move_engine(_index(name), engine_group(name, entry.value))
        except ConfigurationError as refused:
            self.into.refuse(refused, name, entry)
        if remark:
            self.into.advise(remark, name, entry)

    def pass_over(self, kind: str, name: str, entry: Entry) -> None:
        """A key that is not written: what the reader of the file should know of it."""
        key = entry.key
        if kind == "device" and key in CONSTANTS and entry.value != CONSTANTS[key]:
            text = f"{name} has the {key} {CONSTANTS[key]}: the file was saved on another device."
            self.into.advise(f"{text} See whether the rest of it fits.", name, entry)
        elif kind == "wq" and key == "max_batch_size":
            text = f"{name} has no {key}, and accel-config up to 4.1.6 ends the load here. Remove it."
            self.into.advise(text, name, entry)
        elif key not in PASSED_OVER[kind]:
            self.into.advise(f"we do not know the key {key!r} of {name}. See whether it is misspelt.", name, entry)

    def group(self, device: DeviceConfig, kind: str, name: str) -> int:
        """The group that a queue or an engine is in now."""
        if kind == "wq":
            return device.work_queue(name).group_id
        return device.engines.get(_index(name), NO_GROUP)

    def compare_groups(self, part: _Part, group: int) -> None:
        """Being listed in a group does not put anything into it."""
        if part.inside.startswith("group") and _index(part.inside) != group:
            where = "no group" if group == NO_GROUP else f"group {group}"
            text = f"{part.name} is listed in {part.inside} and is in {where}: only its own group_id counts."
            self.into.advice.append(Advice(text, self.into.place(part.name, "group_id")))


def _index(name: str) -> int:
    index = name.rpartition(".")[2]
    return int(index) if _NUMBER.fullmatch(index) else NO_GROUP


def _misnumbered(name: str, number: str) -> ConfigurationError:
    """Something else stands in the place of the number: a template's sign, or a number that no device has."""
    if number.isdecimal():
        remedy = "Name it as `accel-config list` shows it."
        if 0 < len(number.lstrip("0")) < 7:
            remedy = f"Name it with {number.lstrip('0')} instead of {number}."
        return refusal(f"{name!r} is no device's name", remedy, errno.ENODEV)
    what = f"Replace {number!r}" if number else "Complete it"
    remedy = f"{what} by the number that `accel-config list` shows."
    return refusal(f"{name!r} is a template's name, not a device's", remedy, errno.ENODEV)


def _homeless(name: str, number: str) -> ConfigurationError:
    if not _NUMBER.fullmatch(number):
        return _misnumbered(name, number)
    remedy = "Give it the number of its device, or list that device, too."
    return refusal(f"{name} is of device {number}, of which the file says nothing", remedy, errno.ENODEV)


def is_configuration(document: Value) -> bool:
    """Whether this is a list of devices, some of which at least have a name."""
    return isinstance(document, Array) and (
        not document or any(isinstance(item.value, Object) and item.value.get("dev") for item in document)
    )
