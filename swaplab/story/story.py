"""One chain of the real driver, or the same pages by another interface, for `swaplab chain`: a script made of options.

It is run as every script is (`telling` writes it), and recorded for the picture of a chain.
"""

from collections.abc import Iterator
from errno import EINVAL

from .answer import ListView, ScriptRun
from .recording import Recording, Result, Step
from .run import run_script
from .telling import Story, script_of

__all__ = ["Story", "run_story"]


def run_story(story: Story) -> Recording:
    """Run the story in virtual time. ValueError for a machine that cannot be, or more pages than a script has."""
    run = run_script(script_of(story))
    results = list(_results(story, run))
    return Recording(
        version=run.version,
        interface=story.interface,
        parallel=story.interface != "chain" or story.sync_mode == "async",
        code=_code(story, run, results),
        results=results,
        steps=list(_steps(run)),
    )


def _results(story: Story, run: ScriptRun) -> Iterator[Result]:
    """How each page ended."""
    if story.interface == "chain":
        outputs = [run.outputs[f"r{n}"] for n in range(story.pages)]
        pairs = [(output.err or 0, output.dlen) for output in outputs]
    elif story.interface == "array":
        pairs = list(zip(_values(run, "errors"), _values(run, "lengths"), strict=True))
    else:
        pairs = [(min(length, 0), length) for length in _values(run, "entries")]
    return (Result(err=err, length_bytes=0 if err else length) for err, length in pairs)


def _values(run: ScriptRun, kind: str) -> list[int]:
    """The numbers in the lists `<kind>0`, `<kind>1`, ... at the end, one after the other."""
    lists: dict[str, list[int]] = {}
    for call in run.calls:
        for name, view in call.changed.items():
            if isinstance(view, ListView) and name.startswith(kind):
                lists[name] = [value for value in view.values if isinstance(value, int)]
    return [value for values in lists.values() for value in values]


def _code(story: Story, run: ScriptRun, results: list[Result]) -> int:
    """What the caller got for the whole of it. Of several calls or requests, -EINVAL if one has failed."""
    codes = [call.value for call in run.calls if call.status == "returned" and isinstance(call.value, int)]
    waits = [code for code in codes if code <= 0]
    if story.interface != "array" and len(waits) == 1:
        return waits[0]
    return -EINVAL if any(result.err for result in results) else 0


def _steps(run: ScriptRun) -> Iterator[Step]:
    """The events, with places among the pages in the place of the script's names."""
    for event in run.events:
        if event.object is not None:
            fields = {key: value for key, value in event.fields.items() if key not in ("head", "unit")}
            place = int(event.object.lstrip("ru")) + int(event.fields.get("unit") or 0)
            yield Step(kind=event.kind, request=place, fields=fields)
