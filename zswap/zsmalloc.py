"""zsmalloc by arithmetic: where each compressed object would lie, and so how many pages of memory a pool takes.

zswap's pools call it with lengths and keep the bytes themselves as ordinary Python bytes; nothing is stored here. The
count is exact (with the class table of kernel-facts 18 it equals the running kernel's), because it follows the kernel's
policy to the slot: the fullest zspage that has room, in groups 10 % wide, within a group the most recently inserted;
the most recently freed slot of that zspage; an emptied zspage goes back at once (B13).

Half a million objects are ordinary, so an object is no Python object but an entry in flat arrays, 10 bytes in all, and
every operation but `compact` and `class_stats` takes constant time. A pool belongs to one thread. Making allocations
fail is the caller's business.
"""

from array import array
from dataclasses import dataclass

from acomp.flags import PAGE_SIZE
from zswap.size_classes import INDEX_OF_LENGTH, SIZE_CLASSES, SizeClass, class_index

_CLASS_BITS = 7
_CLASS_MASK = (1 << _CLASS_BITS) - 1
_FULL = 10
"""The group after the ten of zspages that have both objects and room; never listed, for nothing can be put there."""
_NONE = -1


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
    """One allocator instance. Handles are integers >= 0, valid until freed, also across `compact`; then reused."""

    def __init__(self) -> None:
        self._classes = tuple(_ClassPool(size_class, self) for size_class in SIZE_CLASSES)
        self._total_pages = 0
        self._bytes_stored = 0

    def __repr__(self) -> str:
        return f"<ZsPool of {self._total_pages} pages with {self._bytes_stored} bytes>"

    @property
    def total_pages(self) -> int:
        """Pages of all zspages, free slots included: what zswap's pool limit counts."""
        return self._total_pages

    @property
    def bytes_stored(self) -> int:
        """The sum of the lengths given to malloc: what a cgroup is charged for."""
        return self._bytes_stored

    def malloc(self, length: int) -> int:
        """Take a slot for `length` bytes and return its handle, or -EINVAL for no bytes, -ENOSPC for over a page."""
        if not 0 < length <= PAGE_SIZE:
            return class_index(length)
        index = INDEX_OF_LENGTH[length]
        self._bytes_stored += length
        return self._classes[index].malloc(length) << _CLASS_BITS | index

    def free(self, handle: int) -> None:
        """Give the slot back. A handle that is not allocated is a ValueError (in the kernel, a corrupted pool)."""
        length = 0
        if handle >= 0:
            try:
                length = self._classes[handle & _CLASS_MASK].free(handle >> _CLASS_BITS)
            except IndexError:
                pass
        if not length:
            raise ValueError(f"handle {handle} is not allocated")
        self._bytes_stored -= length

    def compact(self) -> int:
        """Empty as many sparse zspages into the room of denser ones as possible; return the pages freed.

        What the kernel's shrinker does. Time is proportional to the slots of the zspages emptied.
        """
        before = self._total_pages
        for class_pool in self._classes:
            class_pool.compact()
        return before - self._total_pages

    def class_stats(self) -> tuple[ClassStats, ...]:
        """One entry per class, in the order of `SIZE_CLASSES`. Counts afresh, in time proportional to the objects."""
        return tuple(class_pool.stats() for class_pool in self._classes)


class _ClassPool:
    """The zspages of one size class.

    An *object number* stays the same for the object's life; its *position* (zspage * slots per zspage + slot) changes
    when compaction moves it. `_occupant` is the way back; for a free position it is the next free one of the zspage
    instead (how many are free follows from `_inuse`, so that chain needs no end). Zspages with both objects and room
    are on one doubly linked list per group, most recently inserted first.
    """

    __slots__ = (
        "_first_free",
        "_free_objects",
        "_free_zspages",
        "_group_of_inuse",
        "_groups",
        "_heads",
        "_inuse",
        "_length",
        "_next",
        "_occupant",
        "_pool",
        "_position",
        "_previous",
        "_size_class",
        "_slots",
    )

    def __init__(self, size_class: SizeClass, pool: ZsPool) -> None:
        self._pool = pool
        self._size_class = size_class
        self._slots = slots = size_class.objs_per_zspage
        self._group_of_inuse = bytes(inuse * 10 // slots for inuse in range(slots + 1))
        # By object number. Length 0 marks a number that is not in use.
        self._position = array("I")
        self._length = array("H")
        self._free_objects = array("I")
        # By position.
        self._occupant = array("I")
        # By zspage. One that went back keeps its place here until it is wanted again.
        self._inuse = array("H")
        self._first_free = array("I")
        self._next = array("i")
        self._previous = array("i")
        self._free_zspages = array("I")
        # By group; and a bit for each group that is not empty, so that the fullest is one bit_length away.
        self._heads = [_NONE] * _FULL
        self._groups = 0

    def malloc(self, length: int) -> int:
        position = self._take_slot()
        if self._free_objects:
            number = self._free_objects.pop()
            self._position[number] = position
            self._length[number] = length
        else:
            number = len(self._position)
            self._position.append(position)
            self._length.append(length)
        self._occupant[position] = number
        return number

    def free(self, number: int) -> int:
        """Free the object and return its length, or 0 if there was none; an IndexError for a number never used."""
        length = self._length[number]
        if length:
            self._length[number] = 0
            self._free_objects.append(number)
            self._give_slot(self._position[number])
        return length

    def compact(self) -> None:
        # Whatever is chosen, as many zspages can go as the free slots of the class amount to.
        for _ in range((self._zspages() * self._slots - self._objects()) // self._slots):
            group = (self._groups & -self._groups).bit_length() - 1
            sparsest = self._heads[group]
            # Off the list nothing is moved into it, and the rest of the class has room for all it holds.
            self._unlink(sparsest, group)
            for position in self._occupied(sparsest):
                number = self._occupant[position]
                self._position[number] = target = self._take_slot()
                self._occupant[target] = number
                self._occupant[position] = self._first_free[sparsest]
                self._first_free[sparsest] = position
            self._inuse[sparsest] = 0
            self._release(sparsest)

    def stats(self) -> ClassStats:
        full = self._inuse.count(self._slots)
        return ClassStats(self._size_class, self._objects(), sum(self._length), full, self._zspages() - full)

    def _objects(self) -> int:
        return len(self._position) - len(self._free_objects)

    def _zspages(self) -> int:
        return len(self._inuse) - len(self._free_zspages)

    def _occupied(self, zspage: int) -> list[int]:
        """The positions of the objects of one zspage."""
        free = set()
        position = self._first_free[zspage]
        for _ in range(self._slots - self._inuse[zspage]):
            free.add(position)
            position = self._occupant[position]
        base = zspage * self._slots
        return [position for position in range(base, base + self._slots) if position not in free]

    def _take_slot(self) -> int:
        """Choose a zspage by the policy, or make one; return the position of its most recently freed slot."""
        if self._groups:
            before = self._groups.bit_length() - 1
            zspage = self._heads[before]
        else:
            before = _NONE
            zspage = self._new_zspage()
        position = self._first_free[zspage]
        self._first_free[zspage] = self._occupant[position]
        self._inuse[zspage] = inuse = self._inuse[zspage] + 1
        after = self._group_of_inuse[inuse]
        if after != before:
            if before != _NONE:  # unlinked as what it is, the head
                self._heads[before] = following = self._next[zspage]
                if following != _NONE:
                    self._previous[following] = _NONE
                else:
                    self._groups &= ~(1 << before)
            if after != _FULL:
                self._link(zspage, after)
        return position

    def _give_slot(self, position: int) -> None:
        """Put a position at the head of its zspage's free chain; the zspage goes back if this was its last object."""
        zspage = position // self._slots
        self._occupant[position] = self._first_free[zspage]
        self._first_free[zspage] = position
        inuse = self._inuse[zspage]
        self._inuse[zspage] = inuse - 1
        before = self._group_of_inuse[inuse]
        after = self._group_of_inuse[inuse - 1] if inuse > 1 else _NONE
        if after != before:
            if before != _FULL:
                self._unlink(zspage, before)
            if after != _NONE:
                self._link(zspage, after)
            else:
                self._release(zspage)

    def _new_zspage(self) -> int:
        self._pool._total_pages += self._size_class.pages_per_zspage
        if self._free_zspages:
            return self._free_zspages.pop()  # its free chain holds all its slots
        zspage = len(self._inuse)
        base = zspage * self._slots
        self._occupant.extend(range(base + 1, base + 1 + self._slots))
        self._inuse.append(0)
        self._first_free.append(base)
        self._next.append(_NONE)
        self._previous.append(_NONE)
        return zspage

    def _release(self, zspage: int) -> None:
        self._free_zspages.append(zspage)
        self._pool._total_pages -= self._size_class.pages_per_zspage

    def _link(self, zspage: int, group: int) -> None:
        head = self._heads[group]
        self._next[zspage] = head
        self._previous[zspage] = _NONE
        if head != _NONE:
            self._previous[head] = zspage
        self._heads[group] = zspage
        self._groups |= 1 << group

    def _unlink(self, zspage: int, group: int) -> None:
        following, previous = self._next[zspage], self._previous[zspage]
        if following != _NONE:
            self._previous[following] = previous
        if previous != _NONE:
            self._next[previous] = following
        else:
            self._heads[group] = following
            if following == _NONE:
                self._groups &= ~(1 << group)
