"""What goes over the wire as JSON, for the service and its client. Nothing here needs a web framework."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .bounds import MAX_STORE_PAGES

NAME_PATTERN = r"[a-z][a-z0-9-]{0,31}"
Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
"""A store's or a cache's."""


class Model(BaseModel):
    """Unknown fields and other types are refused, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StoreSettings(Model):
    """What a store is made with. Equal settings are the same store."""

    compressor: str = Field("zstd", max_length=64, description="A name or driver name of an algorithm.")
    max_pool_bytes: int = Field(
        64 << 20, ge=1 << 20, le=1 << 40, description="Compressed bytes kept in memory; the oldest go to a file."
    )
    size_pages: int = Field(1 << 16, ge=1, le=MAX_STORE_PAGES, description="Slots of 4096 bytes; the file is as large.")


class CacheSettings(Model):
    """What a cache is made with."""

    compressor: str = Field("zstd", max_length=64, description="A name or driver name of an algorithm.")
    max_bytes: int = Field(64 << 20, ge=1 << 20, le=1 << 40, description="Compressed bytes kept in memory.")
    ttl_s: float | None = Field(None, gt=0, le=1e9, description="How long a value lives; null: for ever.")
    spill: bool = Field(False, description="Whether what has no room goes to a file.")


class Opened(Model):
    """What was wrong with a log when the service started; zero where there is none."""

    cut_bytes: int = 0
    damaged: int = 0


class StoreInfo(Model):
    """A store: what it was made with (its tree has what was written since), and its counters under the kernel's names.

    `figures` are of the pages in memory: `original_bytes` of them, and the pool's bytes that they take.
    """

    name: str
    settings: StoreSettings
    pages: int
    stats: dict[str, int]
    events: dict[str, int]
    figures: dict[str, Any]
    opened: Opened


class CacheInfo(Model):
    """A cache: what it was made with, and its counters."""

    name: str
    settings: CacheSettings
    stats: dict[str, int]
    figures: dict[str, Any]
    opened: Opened


class Algorithm(Model):
    """An algorithm: `name` is what several share, of which the best is taken; `driver_name` is this one's alone."""

    name: str
    driver_name: str
    interfaces: list[Literal["chain", "array", "unit", "single"]]


class Algorithms(Model):
    """Those that there are."""

    algorithms: list[Algorithm]


class Names(Model):
    """Those that there are."""

    names: list[str]


class ShownInfo(Model):
    """A script that has a name, and what there is to see. The examples are those of docs/scripts.md."""

    name: str
    title: str
    what: str
    shelf: Literal["story", "example"]


class ShownList(Model):
    """Those that there are, in reading order."""

    views: list[ShownInfo]


class Health(Model):
    """`/healthz` and `/readyz`. `damaged` counts values that were lost on the disk, by store or cache."""

    status: Literal["ok", "damaged"]
    damaged: dict[str, int] = {}


class Refusal(Model):
    """`application/problem+json`: why the service did not do something, and what to do."""

    status: int
    title: str
    remedy: str
