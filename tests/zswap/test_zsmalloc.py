"""The pool's arithmetic against a naive model of the policy, operation by operation, and its cost."""

import errno
import random
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from zswap.pool.size_classes import SIZE_CLASSES, SizeClass, class_index, size_class_of
from zswap.pool.zsmalloc import ClassStats, ZsPool

# One length per kind of layout: many objects per zspage, few, straddling ones, two, one.
LENGTHS = (1, 24, 40, 500, 1379, 2048, 2700, 3000, 3300, 3624, 3625, 4096)


class Zspage:
    def __init__(self, slots: int) -> None:
        self.objects: list[int | None] = [None] * slots
        self.free = list(reversed(range(slots)))  # a stack
        self.listed_at = 0
        self.group = -1

    def inuse(self) -> int:
        return len(self.objects) - len(self.free)


class NaiveClass:
    """The policy said in the plainest way: look at every zspage, take the best."""

    def __init__(self, size_class: SizeClass) -> None:
        self.size_class = size_class
        self.slots = size_class.objs_per_zspage
        self.zspages: list[Zspage] = []
        self.home: dict[int, Zspage] = {}
        self.length: dict[int, int] = {}
        self.clock = 0

    def with_room(self) -> list[Zspage]:
        return [zspage for zspage in self.zspages if zspage.free]

    def relist(self, zspage: Zspage) -> None:
        group = int(10 * zspage.inuse() / self.slots)
        if group != zspage.group:
            self.clock += 1
            zspage.group, zspage.listed_at = group, self.clock

    def put(self, handle: int) -> None:
        zspage = max(self.with_room(), key=lambda zspage: (zspage.group, zspage.listed_at), default=None)
        if zspage is None:
            zspage = Zspage(self.slots)  # what went back is forgotten, its pages have gone
            zspage.group = -1
            self.zspages.append(zspage)
        zspage.objects[zspage.free.pop()] = handle
        self.home[handle] = zspage
        self.relist(zspage)

    def take(self, handle: int) -> None:
        zspage = self.home.pop(handle)
        slot = zspage.objects.index(handle)
        zspage.objects[slot] = None
        zspage.free.append(slot)
        self.relist(zspage)
        if not zspage.inuse():
            self.zspages.remove(zspage)

    def compact(self) -> None:
        while sum(len(zspage.free) for zspage in self.zspages) >= self.slots:
            source = max(self.with_room(), key=lambda zspage: (-zspage.group, zspage.listed_at))
            self.zspages.remove(source)
            for slot, handle in enumerate(source.objects):
                if handle is not None:
                    source.objects[slot] = None
                    source.free.append(slot)
                    self.put(handle)

    def stats(self) -> ClassStats:
        full = sum(not zspage.free for zspage in self.zspages)
        return ClassStats(self.size_class, len(self.length), sum(self.length.values()), full, len(self.zspages) - full)


class AgainstTheModel(RuleBasedStateMachine):
    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.pool = ZsPool()
        self.model = [NaiveClass(size_class) for size_class in SIZE_CLASSES]
        self.class_of: dict[int, NaiveClass] = {}

    def malloc_all(self, lengths: list[int]) -> list[int]:
        handles, err = self.pool.malloc(lengths)
        assert err == 0
        for handle, length in zip(handles, lengths, strict=True):
            assert handle >= 0
            assert handle not in self.class_of
            naive = self.class_of[handle] = self.model[class_index(length)]
            naive.length[handle] = length
            naive.put(handle)
        return handles

    def free_all(self, handles: list[int]) -> None:
        lengths = 0
        for handle in handles:
            naive = self.class_of.pop(handle)
            lengths += naive.length.pop(handle)
            naive.take(handle)
        assert self.pool.free(handles) == lengths

    @rule(target=handles, length=st.sampled_from(LENGTHS))
    def malloc(self, length: int) -> int:
        return self.malloc_all([length])[0]

    @rule(lengths=st.lists(st.sampled_from(LENGTHS[3:]), max_size=40))
    def malloc_many(self, lengths: list[int]) -> None:
        self.malloc_all(lengths)

    @rule(handle=consumes(handles))
    def free(self, handle: int) -> None:
        if handle in self.class_of:
            self.free_all([handle])

    @rule(seed=st.integers(0, 1000), share=st.floats(0, 1))
    def free_many(self, seed: int, share: float) -> None:
        generator = random.Random(seed)
        self.free_all([handle for handle in self.class_of if generator.random() < share])

    @rule()
    def compact(self) -> None:
        before = self.pool.class_stats()
        total = self.pool.total_pages
        freed = self.pool.compact()
        for naive in self.model:
            naive.compact()
        assert freed == sum(stats.pages_freeable for stats in before) == total - self.pool.total_pages
        assert self.pool.compact() == 0

    @rule(handle=handles)
    def a_freed_handle_is_refused(self, handle: int) -> None:
        if handle not in self.class_of:
            with pytest.raises(ValueError, match="not allocated"):
                self.pool.free([handle])

    @invariant()
    def equal(self) -> None:
        expected = tuple(naive.stats() for naive in self.model)
        assert self.pool.class_stats() == expected
        assert self.pool.total_pages == sum(stats.pages_used for stats in expected)
        assert self.pool.bytes_stored == sum(stats.bytes_stored for stats in expected)

    def teardown(self) -> None:
        self.free_all(list(self.class_of))
        self.equal()
        assert self.pool.total_pages == self.pool.bytes_stored == 0


TestAgainstTheModel = AgainstTheModel.TestCase
TestAgainstTheModel.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined]
TestAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("lengths", [LENGTHS, (248,), (1379, 3000), (40,)])
def test_a_long_random_run_against_the_model(lengths: tuple[int, ...]) -> None:
    """What short hypothesis runs do not reach: many zspages of a class, in and out of each group, compacted again."""
    generator = random.Random(18)
    machine = AgainstTheModel()
    for phase in range(24):
        for nr in (1, 8, 391):
            machine.malloc_all(generator.choices(lengths, k=nr))
        for handle in generator.sample(list(machine.class_of), int(len(machine.class_of) * generator.random())):
            machine.free_all([handle])
            if generator.random() < 0.3:
                machine.malloc_all([generator.choice(lengths)])
        machine.equal()
        if phase % 3 == 2:
            machine.compact()
            machine.equal()
    machine.teardown()


def malloc_one(pool: ZsPool, length: int) -> int:
    (handle,), err = pool.malloc([length])
    assert err == 0
    return handle


def stats_of(pool: ZsPool, length: int) -> ClassStats:
    return pool.class_stats()[class_index(length)]


class TestMalloc:
    @pytest.mark.parametrize(("length", "code"), [(0, -errno.EINVAL), (-1, -errno.EINVAL), (4097, -errno.ENOSPC)])
    def test_what_cannot_be_stored(self, length: int, code: int) -> None:
        pool = ZsPool()
        assert pool.malloc([length]) == ([], code)
        assert pool.total_pages == pool.bytes_stored == 0

    def test_what_comes_before_it_is_stored(self) -> None:
        pool = ZsPool()
        handles, err = pool.malloc([100, 4000, 4097, 100])
        assert (len(handles), err) == (2, -errno.ENOSPC)
        assert pool.bytes_stored == 4100
        assert pool.free(handles) == 4100

    @pytest.mark.parametrize("size_class", SIZE_CLASSES, ids=lambda size_class: str(size_class.size))
    def test_every_class_fills_its_zspages(self, size_class: SizeClass) -> None:
        pool = ZsPool()
        length = size_class.size - 8
        slots, pages = size_class.objs_per_zspage, size_class.pages_per_zspage
        handles = []
        for count in range(1, 2 * slots + 2):
            handles.append(malloc_one(pool, length))
            assert pool.total_pages == -(-count // slots) * pages
        assert len(set(handles)) == len(handles)
        assert pool.bytes_stored == len(handles) * length
        stats = stats_of(pool, length)
        assert (stats.objects, stats.full, stats.zspages) == (2 * slots + 1, 3 if size_class.is_huge else 2, 3)
        for handle in handles:
            pool.free([handle])
        assert pool.total_pages == pool.bytes_stored == 0

    def test_the_fullest_group_is_filled_first(self) -> None:
        pool = ZsPool()
        assert size_class_of(3000).objs_per_zspage == 4
        zspages = [[malloc_one(pool, 3000) for _ in range(4)] for _ in range(3)]
        for zspage, freed in zip(zspages, (3, 1, 2), strict=True):
            for handle in zspage[:freed]:
                pool.free([handle])
        assert (stats_of(pool, 3000).full, stats_of(pool, 3000).partial) == (0, 3)
        malloc_one(pool, 3000)
        assert stats_of(pool, 3000).full == 1  # the one with a single free slot
        malloc_one(pool, 3000)
        malloc_one(pool, 3000)
        assert stats_of(pool, 3000).full == 2
        pool.free([zspages[0][3]])  # the last object of the first: its zspage is gone
        assert (stats_of(pool, 3000).full, stats_of(pool, 3000).partial) == (2, 0)

    def test_within_a_group_the_most_recently_listed_is_first(self) -> None:
        pool = ZsPool()
        zspages = [[malloc_one(pool, 3000) for _ in range(4)] for _ in range(2)]
        pool.free([zspages[1][0]])
        pool.free([zspages[0][0]])
        malloc_one(pool, 3000)  # goes to the first, the later one on the list
        for handle in zspages[1][1:]:
            pool.free([handle])
        assert (stats_of(pool, 3000).full, stats_of(pool, 3000).partial) == (1, 0)


class TestFree:
    def test_twice(self) -> None:
        pool = ZsPool()
        handle = malloc_one(pool, 100)
        malloc_one(pool, 100)
        pool.free([handle])
        with pytest.raises(ValueError, match=f"handle {handle} is not allocated"):
            pool.free([handle])
        assert pool.bytes_stored == 100

    def test_twice_at_once(self) -> None:
        pool = ZsPool()
        (first, second), _ = pool.malloc([100, 200])
        with pytest.raises(ValueError, match=f"handle {first} is not allocated"):
            pool.free([first, first, second])
        assert pool.bytes_stored == 200
        assert pool.free([second]) == 200
        assert pool.total_pages == 0

    @pytest.mark.parametrize("handle", [-1, -2, -128, 1, 2, 127, 1 << 20])
    def test_what_was_never_allocated(self, handle: int) -> None:
        pool = ZsPool()
        assert size_class_of(2040).objs_per_zspage == 2
        assert malloc_one(pool, 2040) == 0
        with pytest.raises(ValueError, match="not allocated"):
            pool.free([handle])
        assert pool.total_pages == 1

    def test_an_emptied_zspage_goes_back_at_once(self) -> None:
        pool = ZsPool()
        for _ in range(3):
            pool.free([malloc_one(pool, 20)])
            assert pool.total_pages == 0


class TestCompact:
    def test_an_empty_pool(self) -> None:
        assert ZsPool().compact() == 0

    def test_handles_stay_valid_and_nothing_is_lost(self) -> None:
        generator = random.Random(5)
        pool = ZsPool()
        live = {malloc_one(pool, length): length for length in generator.choices(range(1, 4097), k=6000)}
        for handle in generator.sample(sorted(live), 4500):
            pool.free([handle])
            del live[handle]
        before = pool.total_pages
        freed = pool.compact()
        assert 0 < freed == before - pool.total_pages
        assert pool.bytes_stored == sum(live.values())
        assert all(stats.pages_freeable == 0 for stats in pool.class_stats())
        fresh = Counter(map(size_class_of, live.values()))
        # Compacted, the pool is as small as if its objects had just been stored.
        assert pool.total_pages == sum(
            -(-count // c.objs_per_zspage) * c.pages_per_zspage for c, count in fresh.items()
        )
        for handle, length in live.items():
            stored = pool.bytes_stored
            pool.free([handle])
            assert stored - pool.bytes_stored == length
        assert pool.total_pages == 0

    def test_there_is_nothing_to_gain_in_huge_objects(self) -> None:
        pool = ZsPool()
        handles = [malloc_one(pool, 4096) for _ in range(10)]
        pool.free([handles[3]])
        assert pool.compact() == 0
        assert pool.total_pages == 9


class TestCost:
    @pytest.mark.parametrize("objects", [300, 30_000])
    def test_the_work_per_call_does_not_grow(self, objects: int) -> None:
        """Lines executed, as clocks are noisy: the dearest single call, a zspage being made apart."""
        generator = random.Random(objects)
        pool = ZsPool()
        handles = [malloc_one(pool, length) for length in generator.choices(range(1, 3625), k=objects)]
        generator.shuffle(handles)
        for handle in handles[: objects // 2]:
            pool.free([handle])
        for length in generator.choices(range(1, 3625), k=100):
            lines, (taken, _) = lines_of(pool.malloc, [length])
            assert lines < 60
            handles += taken
        for handle in handles[objects // 2 :][-200:]:
            assert lines_of(pool.free, [handle])[0] < 60

    @pytest.mark.slow
    def test_memory_per_object(self) -> None:
        lengths = random.Random(7).choices(range(500, 2500), k=50_000)
        tracemalloc.start()
        try:
            pool = ZsPool()
            for length in lengths:
                malloc_one(pool, length)
            full = tracemalloc.get_traced_memory()[0]
            assert pool.bytes_stored == sum(lengths)
            pool.free(handle for handle, stored in enumerate(pool._lengths) if stored)
            empty = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert full / len(lengths) < 20
        assert empty / len(lengths) < 20, "the free slots of zspages that went back are no objects"


def lines_of(call: Callable[[list[int]], Any], argument: list[int]) -> tuple[int, Any]:
    """Lines of Python that `call(argument)` executes, and its result."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        result = call(argument)
    finally:
        sys.settrace(former)
    return lines, result


def test_the_repr_says_what_is_held() -> None:
    pool = ZsPool()
    malloc_one(pool, 4000)
    assert repr(pool) == "<ZsPool of 1 pages with 4000 bytes>"
