"""Reading a script: the whole of it is checked before any call runs, and a refusal says which call, and the remedy."""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from errno import EINVAL
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ValidationError

from acomp import PAGE_SIZE
from iaa_emulator import ConfigurationError

from . import bounds
from .calls import CALLS, FAULT_POINTS, NAMES, Entry, Kind
from .machine import config_of
from .script import SCHEMA, Argument, Buffer, Call, Item, Machine, Named, Page, PageRef, Ref, Script, Sg
from .stores import FEATURES


class ScriptError(ValueError):
    """What is no script that can be run. One line: where (`index`: of the call, if it is about one), and the remedy."""

    errno: Final = EINVAL

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def read_script(text: str | bytes) -> Script:
    """The script that JSON says, checked as a whole. ScriptError if it cannot be run."""
    if len(text) > bounds.JSON_BYTES:
        raise ScriptError(f"a script of {len(text)} bytes; {bounds.JSON_BYTES >> 20} MiB at most")
    try:
        document = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except RecursionError:
        raise ScriptError("the script is nested deeper than any script is") from None
    except json.JSONDecodeError as error:
        raise ScriptError(f"the script is no JSON: {error}") from None
    except UnicodeDecodeError:
        raise ScriptError("the script is no UTF-8") from None
    except ScriptError:
        raise
    except ValueError:
        raise ScriptError("the script has a number of more digits than any number has") from None
    if not isinstance(document, dict):
        raise ScriptError(f'a script is an object: {{"schema": "{SCHEMA}", "calls": [...]}}')
    if document.get("schema") != SCHEMA:
        found = repr(document["schema"])[: bounds.STRING] if "schema" in document else "missing"
        raise ScriptError(f'the schema is {found}, and this version reads "schema": "{SCHEMA}"')
    calls = document.get("calls")
    if isinstance(calls, list):
        _check_sizes(calls)
    try:
        script = Script.model_validate(document)
    except ValidationError as error:
        raise _in_one_line(error, calls) from None
    return checked(script)


def _check_sizes(calls: list[Any]) -> None:
    """Refuse what is too much to be looked at one by one."""
    if len(calls) > bounds.CALLS:
        raise ScriptError(f"{len(calls)} calls; a script has {bounds.CALLS} at most")
    lists = [call["args"] for call in calls if isinstance(call, dict) and isinstance(call.get("args"), list)]
    size = sum(map(len, lists))
    size += sum(len(item) for args in lists for item in args[: bounds.ARGUMENTS] if isinstance(item, list))
    if size > bounds.ARGUMENTS:
        raise ScriptError(f"{size} arguments in all; a script has {bounds.ARGUMENTS} at most")


def checked(script: Script) -> Script:
    """`script`, if it can be run: names, references, numbers of arguments, and bounds of the whole."""
    size = sum(len(page.content) for page in script.pages.values())
    if size > bounds.PAGES_BYTES:
        raise ScriptError(f"pages of {size} bytes in all; {bounds.PAGES_BYTES >> 20} MiB at most")
    try:
        config_of(script.machine)
    except ConfigurationError as error:
        raise ScriptError(f"machine: {error}") from None
    bound: dict[str, int] = {}
    for index, call in enumerate(script.calls):
        _CallCheck(script, index, call, bound).check()
        if call.binds is not None:
            bound[call.binds] = index
    _check_count(script, bounds.REQUESTS, "requests", lambda call: call.call == "acomp_request_alloc")
    _check_count(script, bounds.STORES, "stores", lambda call: call.call == "Zswap")
    _check_count(script, bounds.TASKS, "tasks", lambda call: call.task is not None)
    size = sum(map(_buffer_bytes, script.calls))
    if size > bounds.BUFFERS_BYTES:
        raise ScriptError(f"buffers of {size} bytes in all; {bounds.BUFFERS_BYTES >> 20} MiB at most")
    return script


def items(argument: Argument) -> tuple[Item, ...]:
    """An argument's items, or itself."""
    return argument if isinstance(argument, tuple) else (argument,)


_LIMITS: Final[Mapping[Kind, tuple[int, int]]] = {
    "count": (1, bounds.INTEGER - 1),
    "nanoseconds": (0, bounds.TIME_NS),
    "slot": (0, bounds.SLOTS - 1),
}
"""Of a number that a call of ours takes; others are lengths."""


class _CallCheck:
    """The check of one call. `bound`: the names that the calls before it bind, and by which of them."""

    def __init__(self, script: Script, index: int, call: Call, bound: dict[str, int]) -> None:
        self._script = script
        self._index = index
        self._call = call
        self._bound = bound

    def refuse(self, message: str) -> NoReturn:
        """ScriptError about this call."""
        raise ScriptError(f"call {self._index} ({self._call.call[:64]!r}): {message}", self._index)

    def check(self) -> None:
        """Refuse the call if it can not be made."""
        call = self._call
        entry = CALLS.get(call.call)
        if entry is None:
            self.refuse(f"there is no such call{nearest(call.call, CALLS)}")
        self._check_names(entry)
        self._check_arity(entry)
        for argument in call.args:
            if call.call == "list" and isinstance(argument, tuple):
                self.refuse("a list in a list; lists are flat")
            for item in items(argument):
                self._check_item(item, in_list=isinstance(argument, tuple) or call.call == "list")
        if entry.is_own:
            self._check_own(entry)

    def _check_names(self, entry: Entry) -> None:
        call = self._call
        if call.as_ is not None and call.task is not None:
            self.refuse("it has `as` and `task`; a task's value is had from task.join")
        if call.task is not None and not entry.waits:
            tasks = ", ".join(name for name, entry in CALLS.items() if entry.waits)
            self.refuse(f"it does not wait, so it cannot be a task; those that can: {tasks}")
        if call.binds in self._bound:
            self.refuse(f"{call.binds} is bound already, by call {self._bound[call.binds]}; names are bound once")

    def _check_arity(self, entry: Entry) -> None:
        given, most = len(self._call.args), len(entry.params)
        if given < most - entry.optional or (given > most and not entry.repeats):
            self.refuse(f"it has {given} argument{'s' * (given != 1)}; it is {entry}")

    def _check_item(self, item: Item, in_list: bool) -> None:
        match item:
            case Ref(ref=name) if name not in self._bound:
                self._refuse_name(name)
            case Ref(ref=name) if in_list and self._gives(name) in ("integers", "requests"):
                self.refuse(f"{name} is a list, and lists are flat")
            case PageRef(page=name) if name not in self._script.pages:
                self.refuse(f"there is no page {name!r}{nearest(name, self._script.pages)}")
            case Named(name=name) if name not in NAMES:
                self.refuse(f"nothing is called {name[:64]!r} here{nearest(name, NAMES)}")

    def _refuse_name(self, name: str) -> NoReturn:
        for index, call in enumerate(self._script.calls[self._index :], self._index):
            if call.binds == name:
                here = "this very call binds it" if index == self._index else f"call {index} binds it, later"
                self.refuse(f"{name} is not bound yet: {here}")
        self.refuse(f"no call binds {name!r}{nearest(name, self._bound)}")

    def _gives(self, name: str) -> Kind | None:
        call = self._script.calls[self._bound[name]]
        return "task" if call.task is not None else CALLS[call.call].gives

    def _check_own(self, entry: Entry) -> None:
        for param, argument in zip(entry.params, self._call.args, strict=False):
            self._check_kind(param.name, param.kind, argument)

    def _check_kind(self, name: str, kind: Kind, argument: Argument) -> None:
        """Refuse what a call of ours does not take."""
        machine = self._script.machine
        match kind:
            case "count" | "nanoseconds" | "integer" | "slot":
                least, most = _LIMITS.get(kind, (0, bounds.PAGE_BYTES))
                if type(argument) is not int or not least <= argument <= most:
                    self.refuse(f"{name} is an integer from {least} to {most}")
            case "queue":
                if type(argument) is not int or not 0 <= argument < machine.wqs_per_device:
                    self.refuse(f"{name} is the number of a queue, from 0 to {machine.wqs_per_device - 1}")
            case "device":
                self._check_one_of(name, argument, machine.device_names)
            case "point":
                self._check_one_of(name, argument, FAULT_POINTS)
            case "text" | "attribute":
                if not isinstance(argument, str):
                    self.refuse(f"{name} is a string")
            case "features":
                self._check_one_of(name, argument, FEATURES)
            case "pages":
                self._check_pages(name, argument)
            case "request" | "store" | "task":
                if not isinstance(argument, Ref) or self._gives(argument.ref) != kind:
                    self.refuse(f"{name} is a {kind}: {{{'ref'!r}: its name}}".replace("'", '"'))

    def _check_pages(self, name: str, argument: Argument) -> None:
        given = items(argument)
        if not isinstance(argument, tuple) or not given or not all(isinstance(item, PageRef) for item in given):
            self.refuse(f'{name} is a list of pages, {{"page": its name}} each, one at least')
        for item in given:
            size = len(self._script.pages[item.page].content) if isinstance(item, PageRef) else 0
            if size != PAGE_SIZE:
                self.refuse(f"{name} are of {PAGE_SIZE} bytes each; {getattr(item, 'page', None)} has {size}")

    def _check_one_of(self, name: str, argument: Argument, allowed: Iterable[str]) -> None:
        if argument not in (names := list(allowed)):
            near = nearest(argument, names) if isinstance(argument, str) else ""
            self.refuse(f"{name} is one of {', '.join(names) or 'none, for there is none'}{near}")


def _check_count(script: Script, most: int, what: str, counts: Callable[[Call], bool]) -> None:
    numbers = [index for index, call in enumerate(script.calls) if counts(call)]
    if len(numbers) > most:
        raise ScriptError(f"call {numbers[most]}: {len(numbers)} {what}; a script has {most} at most", numbers[most])


def _buffer_bytes(call: Call) -> int:
    if call.call in ("buffer", "sg") and type(call.args[0]) is int:
        return call.args[0]
    found = [item for argument in call.args for item in items(argument)]
    return sum(item.buffer if isinstance(item, Buffer) else item.sg for item in found if isinstance(item, Buffer | Sg))


def nearest(name: str, names: Iterable[str]) -> str:
    """What to say of names that are like `name`; nothing if none is."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > bounds.KEYS:
        raise ScriptError(f"an object with {len(pairs)} keys; {bounds.KEYS} at most")
    for key, _ in pairs:
        if not key.isprintable():
            raise ScriptError(f"the key {key[:64]!a} cannot be printed")
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ScriptError(f"the key {twice[: bounds.STRING]!r} is there twice in one object")
    return found


def _no_number(word: str) -> NoReturn:
    raise ScriptError(f"{word} is no number of JSON")


_IN_WORDS: Final = {
    "string_pattern_mismatch": "a name is a small letter, then small letters, digits and underscores, 32 at most",
    "tuple_type": "a list is expected",
    "dict_type": "an object is expected",
    "model_type": "an object is expected",
}
"""What pydantic says in the words of Python."""
_MODELS: Final[dict[str, type[BaseModel]]] = {"machine": Machine, "pages": Page, "calls": Call}


def _in_one_line(error: ValidationError, calls: object) -> ScriptError:
    """The first of pydantic's complaints, with its place in words."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(key) if isinstance(key, int) or key.isidentifier() else ascii(key[:64]) for key in first["loc"]]
    place = [key for key in place if key != "'[key]'"]
    message = _IN_WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    index = int(place[1]) if place[:1] == ["calls"] and len(place) > 1 else None
    if first["type"] == "extra_forbidden":
        model = _MODELS.get(place[0], Script) if len(place) > 1 else Script
        known = [field.alias or name for name, field in model.model_fields.items()]
        message = f"there is no such key; known are {', '.join(known)}"
    where = ".".join(place) or "the script"
    if index is not None and isinstance(calls, list):
        called = calls[index].get("call") if isinstance(calls[index], dict) else None
        where = f"call {index}" + (f" ({called[:64]!r})" if isinstance(called, str) else "")
        where += f", {'.'.join(_plain(place[2:]))}" * (len(place) > 2)
    return ScriptError(f"{where}: {message}", index)


def _plain(place: Iterable[str]) -> Iterator[str]:
    """A place without the names of pydantic's validators."""
    return (key for key in place if key.isidentifier() or key.isdecimal())
