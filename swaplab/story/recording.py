"""What is kept of a chain, or of the same pages by another interface, that was run: `story` makes it, `picture` draws
it, `swaplab chain --trace` saves it.

Plain data with a version of its own. Requests are named by their places in the chain, never by the serial numbers of
one process, so that equal stories leave equal recordings.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from acomp import trace


class Result(BaseModel):
    """How one request ended: `err`, and `length_bytes` of the compressed page (0 after an error)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    err: int
    length_bytes: int


class Step(BaseModel):
    """One event. `request` is the place in the chain, 0 for the head; None where no request is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    request: int | None = None
    fields: dict[str, int | str | bool | None] = Field(default_factory=dict)


class Recording(BaseModel):
    """A story that was run: its events in order, the code of the whole chain, and what became of each request."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.chain/1"] = Field(default="swaplab.chain/1", alias="schema")
    version: str
    events_schema: str = trace.SCHEMA
    interface: Literal["chain", "array", "unit"] = "chain"
    parallel: bool
    code: int
    results: list[Result]
    steps: list[Step]
