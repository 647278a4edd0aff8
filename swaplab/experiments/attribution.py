"""Attribution: what each patch of the series does to throughput, in virtual time, for several numbers of processes.

Three questions per patch: what it gives alone (with what it needs), what it adds in the order of the series, and what
is lost when it is left out of the whole (with all that need it). A gain that only two patches together make shows in
none of the first, in the later one of the second and in both of the third; hence all three.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from swaplab.experiments.tables import Request, effective_patches
from swaplab.experiments.usemem import corpus_digest, run_all
from swaplab.model.columns import ALL_PATCHES, BASE, PATCH_TITLES, V8, Column, with_needs, without
from swaplab.model.testbed import Testbed

METRIC = "throughput_total_kBps"
NOTHING = 0.005
"""A smaller share of the gain counts as none: results of small runs vary by as much."""


MAP_PATCH = 8
"""The cpus of a package share its devices; before, 28 consecutive cpus have one of their own."""

SERIES_PLATFORM = "spr-2s-8iaa"
"""The machine of the series' measurements."""

CONTRADICTION = (
    "That patch 8 carries a share contradicts the series' author, who says that it does not change performance on this "
    "very machine. Ours rests on three facts: usemem's -b 1 pins process i to cpu i; the base kernel's map gives 28 "
    "consecutive cpus to a device, so that 28 of 30 processes share one; and in the series' own history usemem was not "
    "pinned up to v5, where its sequential baseline was 7.3 GiB/s and batching gained 3 to 5 %, until v6 added -b 1, "
    "and the same baseline fell to 5.7 GiB/s while the gain grew more than tenfold.",
    "It would be refuted by such a machine whose base kernel, with usemem pinned, keeps more than one device busy, or "
    "is as slow with patch 8 as without. What is left of it when nobody is pinned: swaplab usemem --unpinned "
    "--patches 8 --columns base,v8, and docs/fidelity.md.",
)
"""Who sees patch 8 carry a gain on the series' machine is told this, a paragraph each."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PatchEffect(_Strict):
    """One patch: throughputs (KiB/s, all processes) alone, with the series up to it, and with all but it."""

    patch: int
    title: str
    brings: tuple[int, ...] = Field(description="other patches that it needs, in `alone_kbps`")
    takes: tuple[int, ...] = Field(description="other patches that need it, left out of `without_kbps` too")
    alone_kbps: float = Field(alias="alone_kBps")
    up_to_kbps: float = Field(alias="up_to_kBps")
    without_kbps: float = Field(alias="without_kBps")
    share: float = Field(description="of the gain of the whole series, when applied in its order")


class Attribution(_Strict):
    """All patches at one number of processes."""

    processes: int
    base_kbps: float = Field(alias="base_kBps")
    v8_kbps: float = Field(alias="v8_kBps")
    patches: tuple[PatchEffect, ...]

    @property
    def gain(self) -> float:
        """What the whole series gains, relative to base."""
        return self.v8_kbps / self.base_kbps - 1

    def carriers(self) -> list[PatchEffect]:
        """The patches that carry a share of the gain, the largest first."""
        carrying = [effect for effect in self.patches if abs(effect.share) >= NOTHING]
        return sorted(carrying, key=lambda effect: (-effect.share, effect.patch))

    def sentence(self) -> str:
        """Which patch carries which share, and which are missed most when left out."""
        carriers = self.carriers()
        count = processes(self.processes)
        if not carriers:
            return f"{count}: the series changes throughput by {self.gain:+.0%}, and no patch carries it."
        shares = ", ".join(f"{named(effect.patch)} {effect.share:.0%}" for effect in carriers)
        first = min(self.patches, key=lambda effect: (effect.without_kbps, -effect.patch))
        loss = first.without_kbps / self.v8_kbps - 1
        together = f" with {numbers(first.takes)}" if first.takes else ""
        return (
            f"{count}: the series makes {self.gain:+.0%}; in its own order the shares are {shares}. "
            f"Left out of v8, {named(first.patch)}{together} costs most: {loss:+.0%}."
        )


class AttributionReport(_Strict):
    """What `swaplab ablate` found; the file that `--json` writes. Nothing in it depends on the host."""

    schema_: Literal["swaplab.attribution/1"] = Field("swaplab.attribution/1", alias="schema")
    swaplab: str
    testbed: str
    folio: str
    compressor: str
    scale: str
    seed: int
    lengths_sha256: str
    attributions: tuple[Attribution, ...]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def finding(self) -> str:
        """Who carries most of the gain at which number of processes, short enough for a headline."""
        leaders: dict[int, list[int]] = {}
        for attribution in self.attributions:
            for effect in attribution.carriers()[:1]:
                leaders.setdefault(effect.patch, []).append(attribution.processes)
        if not leaders:
            return "No patch makes a difference"
        (first, counts), *others = leaders.items()
        rest = [f"{patch} at {numbers(other)}" for patch, other in others]
        return ", ".join([f"Most of the gain: patch {first} at {processes(*counts)}", *rest])

    def contradicts_the_author(self) -> bool:
        """Whether patch 8 carries a share of any gain, which the author of the series does not see."""
        return any(effect.patch == MAP_PATCH for each in self.attributions for effect in each.carriers())


@dataclass(frozen=True, slots=True)
class Plan:
    """The question: which machine, which numbers of processes, at which scale."""

    testbed: Testbed
    scale: Fraction
    processes: tuple[int, ...] = (30, 16, 8, 1)
    compressor: str = "deflate-iaa"
    folio: str = "64K"
    seed: int = 0

    def request(self, patches: Iterable[int], processes: int) -> Request:
        """The column with these patches."""
        column = Column(f"patches:{numbers(patches)}", frozenset(patches))
        return Request(self.testbed, column, self.compressor, self.folio, self.scale, self.seed, processes)

    def requests(self) -> list[Request]:
        """Every distinct column: sets that differ in patches without effect run once."""
        sets = [BASE.patches, V8.patches]
        for patch in sorted(ALL_PATCHES):
            sets += [with_needs([patch]), up_to(patch), without(patch)]
        distinct = {effective_patches(Column("", patches), self.compressor): patches for patches in reversed(sets)}
        return [self.request(patches, count) for count in self.processes for patches in reversed(distinct.values())]


def attribute(plan: Plan, workers: int = 1, ran: Callable[[], object] = bool) -> AttributionReport:
    """Run every column of the plan, in `workers` processes; `ran` is called after each."""
    requests = plan.requests()
    throughput = {
        (effective_patches(request.column, plan.compressor), request.processes): result.metric(METRIC)
        for request, result in zip(requests, run_all(requests, workers, ran), strict=True)
    }

    def of(patches: frozenset[int], processes: int) -> float:
        return throughput[effective_patches(Column("", patches), plan.compressor), processes]

    return AttributionReport(
        swaplab=version("swaplab"),
        testbed=plan.testbed.name,
        folio=plan.folio,
        compressor=plan.compressor,
        scale=str(plan.scale),
        seed=plan.seed,
        lengths_sha256=corpus_digest(requests[0]),
        attributions=tuple(_attribution(count, of) for count in plan.processes),
    )


def up_to(patch: int) -> frozenset[int]:
    """The series up to and with `patch`; later patches need earlier ones only."""
    return frozenset(range(1, patch + 1))


def named(patch: int) -> str:
    """A patch as people speak of it."""
    return f"patch {patch} ({PATCH_TITLES[patch]})"


def numbers(patches: Iterable[int]) -> str:
    """Numbers as a list in prose, in the order given: 8, 9 and 14."""
    found: Sequence[str] = [str(patch) for patch in patches]
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))


def processes(*counts: int) -> str:
    """Numbers of processes in prose: 8 and 1 processes, but 1 process."""
    return f"{numbers(counts)} process{'' if counts == (1,) else 'es'}"


def _attribution(count: int, of: Callable[[frozenset[int], int], float]) -> Attribution:
    base, v8 = of(BASE.patches, count), of(V8.patches, count)
    effects = []
    before = base
    for patch in sorted(ALL_PATCHES):
        after = of(up_to(patch), count)
        effects.append(
            PatchEffect(
                patch=patch,
                title=PATCH_TITLES[patch],
                brings=tuple(sorted(with_needs([patch]) - {patch})),
                takes=tuple(sorted(ALL_PATCHES - without(patch) - {patch})),
                alone_kbps=of(with_needs([patch]), count),
                up_to_kbps=after,
                without_kbps=of(without(patch), count),
                share=round((after - before) / (v8 - base), 4) if v8 != base else 0.0,
            )
        )
        before = after
    return Attribution(processes=count, base_kbps=base, v8_kbps=v8, patches=tuple(effects))
