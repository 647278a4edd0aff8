"""One LRU against a plain list: whatever is taken off at once, in whatever order, what is left keeps its order."""

from hypothesis import given
from hypothesis import strategies as st

from zswap.inventory.entries import NO_ENTRY, EntryTable
from zswap.inventory.lru import LruTable


@given(st.data())
def test_the_order_is_that_of_a_list(data: st.DataObject) -> None:
    entries = EntryTable()
    lru = LruTable(entries).ensure(None, 0)
    assert lru is not None
    model: list[int] = []
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()) and model:
            first, nr = data.draw(st.integers(0, len(model) - 1)), data.draw(st.integers(1, 20))
            gone = model[first : first + nr]
            if data.draw(st.booleans()):
                gone = list(data.draw(st.permutations(gone)))
            lru.remove(gone)
            entries.free(gone)
            model = [entry for entry in model if entry not in gone]
        else:
            new = entries.alloc(data.draw(st.integers(1, 20)))
            assert new is not None
            lru.add(new)
            model += new
        forth, back = [], []
        entry = lru.head
        while entry != NO_ENTRY:
            forth.append(entry)
            entry = entries.next[entry]
        entry = lru.tail
        while entry != NO_ENTRY:
            back.append(entry)
            entry = entries.prev[entry]
        assert forth == back[::-1] == model
        assert lru.length == len(entries) == len(model)
