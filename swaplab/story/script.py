"""The model of a script: calls with the kernel's names, and what they are given, as data (schema swaplab.script/1).

What can be said of one value by itself is checked here; `validate` looks at the whole, and is how a script is read.
Knows nothing of what the calls do.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from acomp import PAGE_SIZE
from iaa_emulator.driver.features import PATCHES

from . import bounds

SCHEMA: Final = "swaplab.script/1"
NAME: Final = r"[a-z][a-z0-9_]{0,31}"

Name = Annotated[str, Field(pattern=f"^{NAME}$")]


class Part(BaseModel):
    """What all parts of a script have in common: nothing unknown, nothing converted, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Ref(Part):
    """What an earlier call has bound."""

    ref: Name


class PageRef(Part):
    """The bytes of a page of the script. They cannot be written to."""

    page: Name


class Buffer(Part):
    """A fresh buffer of so many bytes."""

    buffer: Annotated[int, Field(ge=0, le=bounds.PAGE_BYTES)]


class Sg(Part):
    """A fresh `SgEntry` over a buffer of so many bytes."""

    sg: Annotated[int, Field(ge=0, le=bounds.PAGE_BYTES)]


class Named(Part):
    """A function or a flag of acomp by its name."""

    name: Annotated[str, Field(max_length=bounds.STRING)]


OBJECTS: Final[dict[str, type[Part]]] = {"ref": Ref, "page": PageRef, "buffer": Buffer, "sg": Sg, "name": Named}
"""The objects with one key that an argument may be."""

Item = None | bool | int | str | Ref | PageRef | Buffer | Sg | Named
Argument = Item | tuple[Item, ...]


def _argument(value: Any) -> Any:
    """An argument as JSON has it, or made already. ValueError in words of ours, for a union's are a page long."""
    if isinstance(value, list | tuple):
        if len(value) > bounds.LIST_ITEMS:
            raise ValueError(f"a list has {len(value)} items; {bounds.LIST_ITEMS} at most")
        if any(isinstance(item, list | tuple) for item in value):
            raise ValueError("a list in a list; lists are flat")
        return tuple(map(_argument, value))
    if isinstance(value, dict):
        kind = OBJECTS.get(next(iter(value))) if len(value) == 1 else None
        if kind is None:
            raise ValueError(f"an object with one key is expected, which is one of {', '.join(OBJECTS)}")
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            raise ValueError(f"{next(iter(value))}: {error.errors()[0]['msg']}") from None
    if isinstance(value, int) and not -bounds.INTEGER < value < bounds.INTEGER:
        raise ValueError("an integer has 64 bits at most")
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, int | Part):
        return value
    raise ValueError(
        f"an argument is no {type(value).__name__}: null, a boolean, an integer, a string, a list or one of the objects"
        f" {', '.join(OBJECTS)}"
    )


def _text(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > bounds.STRING:
            raise ValueError(f"a string of {len(value)} characters; {bounds.STRING} at most")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("half of a surrogate pair is no character")
    return value


def _patches(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else ()
    if value in ("v8", "base") or (
        0 < len(numbers) <= max(PATCHES) and all(type(number) is int and number in PATCHES for number in numbers)
    ):
        return value if isinstance(value, str) else tuple(numbers)
    raise ValueError(f'patches are "v8", "base", or a list of some of {min(PATCHES)} to {max(PATCHES)}')


class Machine(Part):
    """What the calls run on: `devices` alike, named iax1, iax3, ..., with queues wq1.0, wq1.1, ...

    The last two keys are beyond the kernel's words for a chain: queues after the first of each device can be global,
    and shared queues may refuse a submission.
    """

    devices: Annotated[
        int, Field(ge=0, le=bounds.DEVICES, description="How many accelerators there are: iax1, iax3, ...")
    ] = 1
    wqs_per_device: Annotated[
        int, Field(ge=1, le=bounds.QUEUES, description="Work queues of each device, which its engines share.")
    ] = 1
    wq_size: Annotated[
        int, Field(ge=1, le=128, description="Descriptors of each queue: so many of its jobs can be under way at once.")
    ] = 16
    engines_per_device: Annotated[
        int,
        Field(
            ge=1, le=8, description="Engines of each device: at most two of them compress, and in scripts no more work."
        ),
    ] = 2
    sync_mode: Annotated[
        Literal["sync", "async", "async_irq"],
        Field(
            description="async: a chain's requests are submitted together, then polled. sync: one after the other."
            " async_irq: an interrupt tells of each end, and a chain runs one after the other as well."
        ),
    ] = "async"
    verify_compress: Annotated[
        bool, Field(description="Whether the driver decompresses what was compressed, and compares it with the page.")
    ] = False
    patches: Annotated[
        Literal["v8", "base"] | tuple[int, ...],
        BeforeValidator(_patches),
        Field(description="What of the series the driver has: all (v8), nothing (base), or patches by their numbers."),
    ] = "v8"
    landing: Annotated[
        Literal["auto", "stepped"],
        Field(
            description="When jobs land: by themselves (auto), or at the calls machine.step and machine.land (stepped)."
        ),
    ] = "auto"
    wq_mode: Annotated[
        Literal["dedicated", "shared"],
        Field(description="A dedicated queue belongs to the driver alone; a shared one may refuse a submission."),
    ] = "dedicated"
    g_wqs_per_iaa: Annotated[
        int,
        Field(
            ge=0,
            le=bounds.QUEUES,
            description="1 or more: the queues after a device's first are global, and a chain spreads over devices.",
        ),
    ] = 0

    @model_validator(mode="after")
    def _fits(self) -> "Machine":
        slots = self.wqs_per_device * self.wq_size
        if slots > 128:
            raise ValueError(
                f"{self.wqs_per_device} queues of {self.wq_size} have {slots} descriptors; a device has 128"
            )
        return self

    @property
    def device_names(self) -> list[str]:
        """Names of the devices, in order."""
        return [f"iax{2 * number + 1}" for number in range(self.devices)]


class Page(Part):
    """The bytes of a page, made from one of: a text that is repeated, a seed (does not compress), a byte, base64.

    `bytes` says how many, but not of base64.
    """

    text: Annotated[Annotated[str, Field(min_length=1)] | None, BeforeValidator(_text)] = None
    random: Annotated[int, Field(gt=-bounds.INTEGER, lt=bounds.INTEGER)] | None = None
    fill: Annotated[int, Field(ge=0, le=255)] | None = None
    base64: str | None = None
    bytes: Annotated[int, Field(ge=1, le=bounds.PAGE_BYTES)] = PAGE_SIZE

    @model_validator(mode="after")
    def _made_in_one_way(self) -> "Page":
        given = [key for key in ("text", "random", "fill", "base64") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a page has one of text, random, fill, base64, and not {' and '.join(given) or 'none'}")
        if self.base64 is not None:
            if "bytes" in self.model_fields_set:
                raise ValueError("how many bytes base64 has, it says itself; leave bytes out")
            if not self.content:
                raise ValueError("a page has a byte at least")
            if len(self.content) > bounds.PAGE_BYTES:
                raise ValueError(f"a page of {len(self.content)} bytes; {bounds.PAGE_BYTES} at most")
        return self

    @property
    def content(self) -> "bytes_":
        """The bytes themselves."""
        if self.base64 is not None:
            return _decoded(self.base64)
        if self.random is not None:
            return hashlib.shake_128(b"a page of %d" % self.random).digest(self.bytes)
        pattern = bytes_([self.fill]) if self.fill is not None else (self.text or "").encode()
        return (pattern * (self.bytes // len(pattern) + 1))[: self.bytes]


bytes_ = bytes
"""The type, where a field has its name."""


def _decoded(text: str) -> bytes_:
    if len(text) > 2 * bounds.PAGE_BYTES:
        raise ValueError(f"base64 of {len(text)} characters; a page has {bounds.PAGE_BYTES} bytes at most")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"this is no base64: {error}") from None


class Call(Part):
    """One call: the function's name and arguments, the name its result is bound to (`as`), or that of its `task`."""

    call: Annotated[str, Field(max_length=64)]
    args: tuple[Annotated[Argument, BeforeValidator(_argument)], ...] = Field(
        default=(), strict=False, max_length=bounds.LIST_ITEMS
    )
    as_: Name | None = Field(default=None, alias="as")
    task: Name | None = None

    @property
    def binds(self) -> str | None:
        """The name that stands for its result, or for its task, in later calls."""
        return self.as_ or self.task


class Script(Part):
    """A script: a machine, pages, and calls, which run in this order.

    With `on_error` "stop" the first call that raises is the last.
    """

    schema_: Literal["swaplab.script/1"] = Field(default=SCHEMA, alias="schema")
    machine: Machine = Field(default_factory=Machine)
    pages: dict[Name, Page] = Field(default_factory=dict, max_length=bounds.PAGES)
    calls: tuple[Call, ...] = Field(default=(), strict=False, max_length=bounds.CALLS)
    on_error: Literal["continue", "stop"] = "continue"

    @property
    def document(self) -> dict[str, Any]:
        """The script as JSON has it, which is read back equal; without what would be so anyway."""
        return {"schema": SCHEMA, **self.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
