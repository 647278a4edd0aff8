"""All that a page shows of a script (schema swaplab.script-view/1): its run, in data and in words, and some figures.

Plain data: who shows it has nothing to compute. Needs no web framework.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from .answer import ScriptRun
from .picture import most, overlap, run_steps
from .pipeline import code_name
from .polling import ends, looks, row_of
from .run import run_script
from .script import Script
from .sentences import sentences
from .transcript import is_code, notes_of, spelled
from .turns import engines_busy, turns

SCHEMA: Final = "swaplab.script-view/1"


class Part(BaseModel):
    """What all parts of a view have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Note(Part):
    """One line about a call. `error`: of what went wrong; `explained`: what that means."""

    text: str
    kind: Literal["note", "error", "explained"]


class CallView(Part):
    """A call in Python's spelling, and what there is to say of it."""

    spelled: str
    notes: list[Note]


class Figures(Part):
    """A run in numbers: submissions, rounds of polling, jobs in flight at a time, requests (or units) that failed.

    `turns`: how long it takes if every job takes an engine one turn, and all else none. Jobs in flight, `overlap`, may
    wait in their queues; `engines_busy` are those at work, on average over the turns.
    """

    submits: int
    rounds: int
    overlap: float
    failed: int
    turns: int
    engines_busy: float


class ScriptView(Part):
    """A script, and what came of it. `said` has a sentence for each of `run.events`; `code_names` each code's name.

    `script` can be posted again as it is.
    """

    schema_: Literal["swaplab.script-view/1"] = Field(default=SCHEMA, alias="schema")
    title: str
    script: Script
    calls: list[CallView]
    said: list[str]
    figures: Figures
    code_names: dict[str, str]
    run: ScriptRun

    @field_serializer("script")
    def _document(self, script: Script) -> dict[str, Any]:
        return script.document

    def to_json(self, indent: int | None = None) -> str:
        """The view as JSON."""
        return self.model_dump_json(by_alias=True, indent=indent)


def view_of(script: Script, title: str = "") -> ScriptView:
    """Run `script`, and see it. ScriptError if it cannot be run; not inside of a running loop."""
    run = run_script(script)
    calls = [
        CallView(spelled=spelled(call), notes=[Note.model_validate(note._asdict()) for note in notes])
        for call, notes in zip(script.calls, notes_of(script, run), strict=True)
    ]
    return ScriptView(
        title=title,
        script=script,
        calls=calls,
        said=list(sentences(run.events)),
        figures=figures_of(run),
        code_names={str(code): code_name(code) for code in sorted(set(_codes(run.model_dump())), reverse=True)},
        run=run,
    )


def figures_of(run: ScriptRun) -> Figures:
    """The numbers of a run."""
    steps = [step for _, step in run_steps(run)]
    ended: dict[str | None, int | None] = dict(ends(run.events))
    ended |= {name: output.err for name, output in run.outputs.items() if f"{name}/0" not in ended}
    return Figures(
        submits=sum(step.kind == "submit" for step in steps),
        rounds=most(row_of(run.events[place]) for place in looks(run.events)),
        overlap=round(overlap(steps), 2),
        failed=sum(map(bool, ended.values())),
        turns=turns(run.events),
        engines_busy=round(engines_busy(run.events), 2),
    )


def _codes(part: Any) -> Iterator[int]:
    """Every negative code anywhere in an answer; of an exception, its errno as one."""
    match part:
        case dict():
            error = part.get("errno")
            yield from () if error is None else (-error,)
            for inner in part.values():
                yield from _codes(inner)
        case list() | tuple():
            for inner in part:
                yield from _codes(inner)
        case int() if is_code(part):
            yield part
