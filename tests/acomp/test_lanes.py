"""The policy by which what is queued is shared out among workers. No thread runs here."""

from acomp.threads.lanes import NO_LIMIT, Batch, Lane, Slice, WorkList


def lane(limit: int = NO_LIMIT) -> Lane:
    return Lane(lambda: lambda items: [item * 2 for item in items], limit)


def batch(of: Lane, items: int) -> Batch:
    return Batch(of, list(range(items)), lambda first, outcomes: None, lambda first, count: None)


def sizes(run: list[Slice]) -> list[int]:
    return [end - first for _, first, end in run]


def test_64_pages_and_two_idle_workers_are_two_runs_of_32() -> None:
    one = lane()
    work = WorkList([one], 512)
    batches = [batch(one, 8) for _ in range(8)]
    for each in batches:
        work.put(each)
    first, second = work.take(2), work.take(1)
    assert (sizes(first), sizes(second), work.queued) == ([8] * 4, [8] * 4, 0)
    assert [part.batch for part in first + second] == batches


def test_a_lone_batch_is_split_and_a_run_has_a_bound() -> None:
    one = lane()
    work = WorkList([one], 512)
    work.put(batch(one, 9))
    assert [tuple(part[1:]) for part in work.take(2) + work.take(1)] == [(0, 5), (5, 9)]
    work.put(batch(one, 1000))
    assert [sizes(work.take(1)) for _ in range(3)] == [[512], [488], []]


def test_a_run_ends_where_a_batch_ends_if_the_next_one_fits_into_a_run_of_its_own() -> None:
    one = lane()
    work = WorkList([one], 512)
    for _ in range(3):
        work.put(batch(one, 16))
    work.share_among(2)
    assert [sizes(work.take(2)) for _ in range(3)] == [[16], [16], [16]], "24 would have cut the second one in two"
    for items in (16, 512):
        work.put(batch(one, items))
    work.share_among(2)
    assert [sizes(work.take(2)) for _ in range(2)] == [[16, 248], [264]], "what is longer than a run is cut anyway"


def test_who_is_slow_to_come_does_not_make_the_others_runs_smaller() -> None:
    one = lane()
    work = WorkList([one], 512)
    work.put(batch(one, 8))
    work.share_among(2)
    runs = []
    while run := work.take(2):  # the same worker, back again before the other one has woken up
        runs.append(sizes(run))
        work.give_back(run)
    assert runs == [[4], [4]]


def test_a_lane_has_no_more_runs_at_once_than_its_limit() -> None:
    narrow, wide = lane(1), lane()
    work = WorkList([narrow, wide], 4)
    for _ in range(3):
        work.put(batch(narrow, 4))
    first = work.take(1)
    assert sizes(first) == [4] and work.take(1) == []
    work.put(batch(wide, 1))
    assert [part.batch.lane for part in work.take(1)] == [wide]
    assert work.give_back(first), "somebody was kept from its queue"
    second = work.take(1)
    assert sizes(second) == [4] and second[0].batch.lane is narrow
    assert sizes(work.drain()) == [4] and work.queued == 0


def test_lanes_take_turns_so_that_none_starves() -> None:
    lanes = [lane(), lane()]
    work = WorkList(lanes, 4)
    for each in lanes * 2:
        work.put(batch(each, 4))
    assert len({id(work.take(1)[0].batch.lane) for _ in range(2)}) == 2


def test_a_heavy_item_counts_with_its_weight_and_goes_alone_if_it_must() -> None:
    one = Lane(lambda: list, weigh=max)
    work = WorkList([one, other := lane()], 40)
    for items in ([1] * 6, [10, 3, 3], [100, 100]):
        work.put(Batch(one, items, lambda first, outcomes: None, lambda first, count: None))
    assert work.queued == 6 + 30 + 200
    assert sizes(work.take_some(16)) == [6, 1], "as many as there is room for"
    assert sizes(work.take_some(8)) == [1], "one at least"
    assert sizes(work.take_some(25)) == [1], "what does not fit behind others waits"
    work.put(batch(other, 3))
    runs = [sizes(work.take(1)) for _ in range(4)]
    assert sorted(runs) == [[], [1], [1], [3]], "each heavy one alone"
    assert work.queued == 0 and one.running == 5 and other.running == 1


def test_who_takes_nothing_gets_nothing() -> None:
    one = lane()
    work = WorkList([one], 40)
    work.put(batch(one, 3))
    assert work.take_some(0) == [] and (work.queued, one.running) == (3, 0)


def test_of_a_fast_lane_a_run_of_some_has_more_but_a_share_is_a_share() -> None:
    fast, slow = Lane(lambda: list, speed=4), lane()
    work = WorkList([slow, fast], 40)
    work.put(batch(fast, 5))
    work.put(batch(slow, 9))
    assert sizes(work.take_some(3)) == [5, 1], "five of four in the time of one are two"
    assert sizes(work.take_some(1)) == [1]
    work.put(batch(fast, 40))
    assert sizes(work.take_some(2)) == [8]
    assert [sum(sizes(work.take(3))) for _ in range(2)] == [13, 9]
