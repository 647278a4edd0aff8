"""zsmalloc by arithmetic: where each compressed object would lie, and so how many pages of memory a pool takes.

zswap's pools call it with lengths and keep the bytes themselves as ordinary Python bytes; nothing is stored here. The
count is exact (these classes gave a running kernel's figure, for 4096 mixed pages and six compressors), because it
follows the kernel's policy to the slot: the fullest zspage that has room, in groups 10 % wide, within a group the most
recently inserted; the most recently freed slot of that zspage; an emptied zspage goes back at once.

Half a million objects are ordinary, so an object is no Python object but an entry in flat arrays, 8 bytes, and its
share of a zspage, which is a list of free slots (some 40 bytes for each of these, as long as the zspage is in use). A
page is stored and freed all the time, so `malloc` and `free` take many objects at a time: each in constant time, and
without a call unless that fills its zspage or, by what is freed, brings it into another group. A pool belongs to one
thread. Making allocations fail is the caller's business.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from acomp.flags import PAGE_SIZE

from .size_classes import INDEX_OF_LENGTH, SIZE_CLASSES, SizeClass, class_index

_NR_GROUPS: Final = 10
_FULL: Final = _NR_GROUPS
_EMPTY: Final = _NR_GROUPS + 1
"""Instead of a group: zspages without room, or without objects. Neither is listed."""


def _group_by_free_slots(slots: int) -> bytes:
    """The group of a zspage of so many slots by how many of them are free. Group 0 is the fullest, and 10 % wide."""
    partial = (_NR_GROUPS - 1 - inuse * _NR_GROUPS // slots for inuse in range(slots - 1, 0, -1))
    return bytes((_FULL, *partial, _EMPTY))


_GROUPS: Final = tuple(_group_by_free_slots(size_class.objs_per_zspage) for size_class in SIZE_CLASSES)
_CHANGES_GROUP: Final = tuple(bytes((0, *(a != b for a, b in pairwise(groups)))) for groups in _GROUPS)
"""By class and number of free slots: whether the slot freed last has brought the zspage into another group."""
_NO_ZSPAGE: Final[list[int]] = []
"""Instead of a head that was taken away; like one that is full, it has no free slot."""


@dataclass(frozen=True, slots=True)
class ClassStats:
    """What one size class holds: objects, their bytes as given to malloc, and zspages by whether they have room."""

    size_class: SizeClass
    objects: int
    bytes_stored: int
    full: int
    partial: int

    @property
    def zspages(self) -> int:
        """Zspages in use, each of `size_class.pages_per_zspage` pages."""
        return self.full + self.partial

    @property
    def pages_used(self) -> int:
        """Pages of memory, the free slots included."""
        return self.zspages * self.size_class.pages_per_zspage

    @property
    def pages_freeable(self) -> int:
        """Pages that `compact` would return."""
        free_slots = self.zspages * self.size_class.objs_per_zspage - self.objects
        return free_slots // self.size_class.objs_per_zspage * self.size_class.pages_per_zspage


class ZsPool:
    """One allocator instance. Handles are integers >= 0, valid until freed, also across `compact`; then reused.

    A handle is the name of a slot. A zspage is known by its free slots, a list of handles with the most recently freed
    last. One zspage of each class is the *head*, where the next object goes: the most recent one of the fullest group.
    The others that have both objects and room are in the dictionary of their group, most recently inserted last.

    The head itself is in none, and filling it moves nothing: as no other is fuller, it enters each group as the only
    one there, and stays the head until it is full or something is freed.
    """

    def __init__(self) -> None:
        # By handle. Length 0 marks a free slot.
        self._lengths = array("I")  # which is written in half the time of an "H"
        self._zspage_of = array("I")
        # By zspage. One that was given back has no list; the next new zspage of its class gets its slots.
        self._free_slots: list[list[int]] = []
        self._first_slot = array("I")
        # By class.
        self._heads = [_NO_ZSPAGE] * len(SIZE_CLASSES)
        self._groups = tuple(tuple(dict[int, list[int]]() for _ in range(_NR_GROUPS)) for _ in SIZE_CLASSES)
        self._zspages = [0] * len(SIZE_CLASSES)
        self._returned = tuple(array("I") for _ in SIZE_CLASSES)
        # The slots, in order, of zspages in which they are not consecutive, because objects have moved.
        self._mixed: dict[int, array[int]] = {}
        self._total_pages = 0

    def __repr__(self) -> str:
        return f"<ZsPool of {self._total_pages} pages with {self.bytes_stored} bytes>"

    @property
    def total_pages(self) -> int:
        """Pages of all zspages, free slots included: what zswap's pool limit counts."""
        return self._total_pages

    @property
    def bytes_stored(self) -> int:
        """The sum of the lengths given to malloc: what cgroups are charged for. Adds them up afresh."""
        return sum(self._lengths)

    def malloc(self, lengths: Iterable[int]) -> tuple[list[int], int]:
        """Take a slot for each of these lengths; their handles, and 0.

        Or a negative errno, and the handles for those before the length that has no slot: -EINVAL for no bytes,
        -ENOSPC for over a page.
        """
        wanted = [*lengths]
        err = 0
        if wanted and not (min(wanted) > 0 and max(wanted) <= PAGE_SIZE):
            nr, err = next((nr, class_index(length)) for nr, length in enumerate(wanted) if not 0 < length <= PAGE_SIZE)
            del wanted[nr:]
        heads, next_head = self._heads, self._next_head
        handles = [(heads[index] or next_head(index)).pop() for index in map(INDEX_OF_LENGTH.__getitem__, wanted)]
        stored = self._lengths
        for handle, length in zip(handles, wanted, strict=True):
            stored[handle] = length
        return handles, err

    def free(self, handles: Iterable[int]) -> int:
        """Give slots back and return the bytes they held together.

        A handle that is not allocated is a ValueError (in the kernel, a corrupted pool); those before it are freed.
        """
        freed = 0
        stored, zspage_of, free_slots = self._lengths, self._zspage_of, self._free_slots
        nr_slots = len(stored)
        for handle in handles:
            length = stored[handle] if 0 <= handle < nr_slots else 0
            if not length:
                raise ValueError(f"handle {handle} is not allocated")
            stored[handle] = 0
            freed += length
            zspage = zspage_of[handle]
            free = free_slots[zspage]
            free.append(handle)
            index = INDEX_OF_LENGTH[length]
            if _CHANGES_GROUP[index][len(free)]:
                self._relist(index, zspage, free)
        return freed

    def compact(self) -> int:
        """Empty as many sparse zspages into the room of denser ones as possible; return the pages freed.

        What the kernel's shrinker does. Time is proportional to the slots of the zspages emptied, and of those that
        receive, beside a look at each zspage with room.
        """
        before = self._total_pages
        for index, groups in enumerate(self._groups):
            self._list_head(index)
            free_slots = sum(len(free) for group in groups for free in group.values())
            # The free slots of the class say how many zspages can go, whichever are chosen.
            for _ in range(free_slots // SIZE_CLASSES[index].objs_per_zspage):
                self._empty_sparsest(index)
        return before - self._total_pages

    def class_stats(self) -> tuple[ClassStats, ...]:
        """One entry per class, in the order of `SIZE_CLASSES`. Counts afresh, in time proportional to the objects."""
        bytes_stored = [0] * len(SIZE_CLASSES)
        for length, nr in Counter(self._lengths).items():
            bytes_stored[INDEX_OF_LENGTH[length]] += length * nr
        stats = []
        for index, size_class in enumerate(SIZE_CLASSES):
            free = [len(free) for group in self._groups[index] for free in group.values()]
            if self._heads[index]:
                free.append(len(self._heads[index]))
            zspages = self._zspages[index]
            objects = zspages * size_class.objs_per_zspage - sum(free)
            stats.append(ClassStats(size_class, objects, bytes_stored[index], zspages - len(free), len(free)))
        return tuple(stats)

    def _next_head(self, index: int) -> list[int]:
        """Choose the zspage for the next objects of a class, or make one, in place of a head without room."""
        groups = self._groups[index]
        if any(groups):
            fullest = next(filter(None, groups))
            self._heads[index] = free = fullest.popitem()[1]
            return free
        returned = self._returned[index]
        zspage = returned.pop() if returned else self._new_zspage(index)
        self._heads[index] = free = self._free_slots[zspage] = self._all_slots(index, zspage)
        self._zspages[index] += 1
        self._total_pages += SIZE_CLASSES[index].pages_per_zspage
        return free

    def _list_head(self, index: int) -> None:
        """The head, if it has room, joins its group, so that the next one is chosen afresh."""
        if head := self._heads[index]:
            self._groups[index][_GROUPS[index][len(head)]][self._zspage_of[head[-1]]] = head
            self._heads[index] = _NO_ZSPAGE

    def _relist(self, index: int, zspage: int, free: list[int]) -> None:
        """The slot of a zspage that was freed last has brought it into another group."""
        groups, group_of, nr_free = self._groups[index], _GROUPS[index], len(free)
        head, group = self._heads[index], group_of[nr_free]
        if nr_free == 1 and group != _EMPTY:
            # It was full. No group is fuller than the one it enters, and there it is the most recent.
            if head and head is not free:
                groups[group_of[len(head)]][self._zspage_of[head[-1]]] = head
            self._heads[index] = free
            return
        if head is free:
            self._heads[index] = _NO_ZSPAGE
        elif nr_free > 1:
            del groups[group_of[nr_free - 1]][zspage]
        if group == _EMPTY:
            self._give_back(index, free)
        else:
            groups[group][zspage] = free

    def _new_zspage(self, index: int) -> int:
        """A zspage with slots that there have not been before."""
        slots, zspage = SIZE_CLASSES[index].objs_per_zspage, len(self._free_slots)
        self._first_slot.append(len(self._lengths))
        self._lengths.frombytes(bytes(slots * self._lengths.itemsize))
        self._zspage_of.extend([zspage] * slots)
        self._free_slots.append(_NO_ZSPAGE)
        return zspage

    def _all_slots(self, index: int, zspage: int) -> list[int]:
        """The free slots of an empty zspage; the lowest is taken first."""
        first = self._first_slot[zspage]
        slots = self._mixed.get(zspage) or range(first, first + SIZE_CLASSES[index].objs_per_zspage)
        return list(reversed(slots))

    def _give_back(self, index: int, free: list[int]) -> None:
        zspage = self._zspage_of[free[-1]]
        self._free_slots[zspage] = _NO_ZSPAGE
        self._returned[index].append(zspage)
        self._zspages[index] -= 1
        self._total_pages -= SIZE_CLASSES[index].pages_per_zspage

    def _empty_sparsest(self, index: int) -> None:
        """Move the objects of the sparsest zspage of a class to where malloc would put them, in the order of slots.

        An object keeps its handle, which so becomes the name of another slot: the two slots exchange theirs.
        """
        sparsest = next(group for group in reversed(self._groups[index]) if group)
        # Off the list nothing is moved into it, and the rest of the class has room for all it holds.
        source, free = sparsest.popitem()
        slots = self._slots(index, source)
        for position, handle in enumerate(slots):
            if length := self._lengths[handle]:
                other = (self._heads[index] or self._next_head(index)).pop()
                target = self._zspage_of[other]
                target_slots = self._slots(index, target)
                slots[position], target_slots[target_slots.index(other)] = other, handle
                self._zspage_of[handle], self._zspage_of[other] = target, source
                self._lengths[handle], self._lengths[other] = length, 0
                free.append(other)
        self._give_back(index, free)
        self._list_head(index)

    def _slots(self, index: int, zspage: int) -> "array[int]":
        """The slots of one zspage in order; from now on a list that can be changed."""
        slots = self._mixed.get(zspage)
        if slots is None:
            first = self._first_slot[zspage]
            end = first + SIZE_CLASSES[index].objs_per_zspage
            slots = self._mixed[zspage] = array("I", range(first, end))
        return slots
