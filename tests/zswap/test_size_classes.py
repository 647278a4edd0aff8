"""The derived classes against a table that was computed independently and is typed in here."""

import errno

import pytest

from acomp.flags import PAGE_SIZE
from zswap.pool.size_classes import SIZE_CLASSES, SizeClass, class_index, size_class_of

# Object size: pages per zspage / objects per zspage.
TABLE = """
32:1/128 48:3/256 64:1/64 80:5/256 96:3/128 112:7/256 128:1/32 144:7/199 160:5/128 176:4/93 192:3/64
208:3/59 224:7/128 240:1/17 256:1/16 272:1/15 288:5/71 304:7/94 320:5/64 336:6/73 352:8/93 368:8/89
384:3/32 400:5/51 416:6/59 432:7/66 448:7/64 464:5/44 480:2/17 496:4/33 512:1/8 528:4/31 544:2/15
560:7/51 576:1/7 592:8/55 608:7/47 624:2/13 640:5/32 656:5/31 672:1/6 688:8/47 704:5/29 720:3/17
736:2/11 752:7/38 768:3/16 784:5/26 816:1/5 832:8/39 848:5/24 864:7/33 880:8/37 896:7/32 912:7/31
928:5/22 944:3/13 960:4/17 976:6/25 992:8/33 1024:1/4 1056:8/31 1072:5/19 1088:4/15 1104:3/11
1120:8/29 1136:5/18 1168:2/7 1184:7/24 1200:5/17 1216:3/10 1232:7/23 1248:4/13 1280:5/16 1296:7/22
1360:1/3 1424:8/23 1440:6/17 1456:5/14 1488:4/11 1504:7/19 1536:3/8 1552:8/21 1568:5/13 1584:7/18
1632:2/5 1680:7/17 1696:5/12 1712:8/19 1744:3/7 1792:7/16 1808:4/9 1856:5/11 1888:6/13 1904:7/15
1920:8/17 2048:1/2 2176:8/15 2192:7/13 2224:6/11 2272:5/9 2336:4/7 2384:7/12 2448:3/5 2512:8/13
2560:5/8 2592:7/11 2720:2/3 2864:7/10 2912:5/7 2976:8/11 3072:3/4 3184:7/9 3264:4/5 3408:5/6 3504:6/7
3584:7/8 3632:8/9 4096:1/1
"""
EXPECTED = tuple(
    SizeClass(int(size), int(pages), int(objects))
    for size, pages, objects in (entry.replace(":", "/").split("/") for entry in TABLE.split())
)


def test_the_classes_are_those_of_the_table() -> None:
    assert len(EXPECTED) == 119
    assert SIZE_CLASSES == EXPECTED


def test_a_zspage_holds_its_objects() -> None:
    for size_class in SIZE_CLASSES:
        room = size_class.pages_per_zspage * PAGE_SIZE
        assert size_class.objs_per_zspage * size_class.size <= room < (size_class.objs_per_zspage + 1) * size_class.size


def test_every_length_goes_to_the_smallest_class_that_holds_it_and_its_handle() -> None:
    sizes = [size_class.size for size_class in EXPECTED]
    for length in range(1, 3625):
        assert size_class_of(length).size == next(size for size in sizes if size >= length + 8)


@pytest.mark.parametrize("index", range(118))
def test_boundaries(index: int) -> None:
    longest = EXPECTED[index].size - 8
    assert class_index(longest) == index
    assert class_index(longest + 1) == index + 1


@pytest.mark.parametrize(("first", "last"), [(3625, 4096)])
def test_lengths_that_take_a_whole_page(first: int, last: int) -> None:
    assert not size_class_of(first - 1).is_huge
    for length in range(first, last + 1):
        assert size_class_of(length) == SizeClass(4096, 1, 1)
        assert size_class_of(length).is_huge


@pytest.mark.parametrize(
    ("length", "size"),
    [(1, 32), (24, 32), (25, 48), (809, 832), (1379, 1424), (1650, 1680), (2048, 2176), (3624, 3632), (3625, 4096)],
)
def test_examples_of_the_fact_sheet(length: int, size: int) -> None:
    assert size_class_of(length).size == size


@pytest.mark.parametrize(
    ("length", "code"),
    [(0, -errno.EINVAL), (-1, -errno.EINVAL), (-4096, -errno.EINVAL), (4097, -errno.ENOSPC), (1 << 40, -errno.ENOSPC)],
)
def test_lengths_without_a_class(length: int, code: int) -> None:
    assert class_index(length) == code
    with pytest.raises(ValueError, match=f"{length} bytes"):
        size_class_of(length)
