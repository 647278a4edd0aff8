"""Both runners against slow models, written from docs/kernel.md#serial and docs/kernel.md#parallel, over random chains.

The models know nothing of the package: a request is its number, a run is what happens to a few lists.
"""

import asyncio
from dataclasses import dataclass, field
from errno import E2BIG, EAGAIN, EBUSY, EINPROGRESS, EINVAL, ENODEV, ENOMEM, ETIMEDOUT

from hypothesis import given
from hypothesis import strategies as st

from acomp import (
    CRYPTO_TFM_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    AcompReq,
    Code,
    acomp_chain_members,
    acomp_do_async_req_chain,
    acomp_do_req_chain,
    acomp_reqchain_init,
    acomp_request_chain,
    acomp_request_set_callback,
    fault,
)
from tests.acomp.algorithms import ASYNC, DATA, OPTED_IN, Calls, errs, requests

NEVER = -EINPROGRESS
"""What err is of a request that was chained and not run."""
BEFORE = -99
"""What the err of a plain request was before."""


@dataclass
class Outcome:
    """All that an observer can tell after a run."""

    returned: int = 0
    log: list[str] = field(default_factory=list)
    errs: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    own_data: bool = True
    """Whether the head's data is the user's again."""


@dataclass(frozen=True)
class Setting:
    """What decides between the chain path and the shortcut."""

    count: int
    is_head: bool
    is_async: bool
    opted_in: bool

    @property
    def flags(self) -> int:
        return ASYNC * self.is_async | OPTED_IN * self.opted_in

    @property
    def first_errs(self) -> list[int]:
        return [NEVER if self.is_head else BEFORE] + [NEVER] * (self.count - 1)


settings = st.builds(
    lambda count, is_head, is_async, opted_in: Setting(count if is_head else 1, is_head, is_async, opted_in),
    st.integers(1, 9),
    # Mostly real chains.
    st.sampled_from([True, True, True, True, False]),
    st.sampled_from([True, True, True, True, False]),
    st.sampled_from([True, True, True, True, False]),
)


def build(setting: Setting, calls: Calls) -> list[AcompReq]:
    reqs = requests(setting.count, setting.flags)
    if setting.is_head:
        acomp_reqchain_init(reqs[0], 0, calls, DATA)
    else:
        acomp_request_set_callback(reqs[0], 0, calls, DATA)
        reqs[0].base.err = BEFORE
    for member in reqs[1:]:
        acomp_request_chain(member, reqs[0])
    return reqs


def observed(returned: int, log: list[str], reqs: list[AcompReq], calls: Calls) -> Outcome:
    assert all(data is DATA for data, _ in calls)
    assert len(set(acomp_chain_members(reqs[0]))) == len(acomp_chain_members(reqs[0]))
    return Outcome(
        returned,
        log,
        errs(reqs),
        [reqs.index(member) for member in acomp_chain_members(reqs[0])],
        [err for _, err in calls],
        reqs[0].base.data is DATA,
    )


submits = st.sampled_from([-EINPROGRESS, -EINPROGRESS, -EINPROGRESS, -EBUSY, 0, -EAGAIN, -ENODEV])
not_yet = st.sampled_from([-EAGAIN, -EINPROGRESS, -EBUSY])
ends = st.sampled_from([0, 0, -EINVAL, -E2BIG, -ETIMEDOUT])


@dataclass(frozen=True)
class Work:
    """What a driver answers for one request: to its submit, to each of its polls, and whether out of a coroutine."""

    submit: int
    polls: tuple[int, ...]
    coroutine: bool


works = st.builds(
    lambda submit, waits, end, coroutine: Work(submit, (*waits, end), coroutine),
    submits,
    st.lists(not_yet, max_size=4),
    ends,
    st.booleans(),
)


def parallel_model(setting: Setting, work: list[Work]) -> Outcome:
    """The parallel runner, step by step; a head whose submit was 0 is not polled."""
    out = Outcome(errs=setting.first_errs, members=list(range(1, setting.count)))
    polls = [list(each.polls) for each in work]

    def submit(number: int) -> int:
        out.log.append(f"s{number}")
        return work[number].submit

    def poll(number: int) -> int:
        out.log.append(f"p{number}")
        return polls[number].pop(0)

    def finished_at_submit(code: int) -> bool:
        return code not in (-EINPROGRESS, -EBUSY)

    def finished_at_poll(code: int) -> bool:
        return code not in (-EAGAIN, -EINPROGRESS, -EBUSY)

    # Step 1.
    if not setting.is_head or setting.count == 1 or not setting.is_async or not setting.opted_in:
        code = submit(0)
        if not finished_at_submit(code):
            code = poll(0)
            while not finished_at_poll(code):
                code = poll(0)
        out.errs[0] = out.returned = code
        if setting.is_async:
            out.calls.append(code)
        return out
    # Step 2.
    code = submit(0)
    out.errs[0] = code
    if finished_at_submit(code) and code != 0:
        out.errs = [code] * setting.count
        out.returned = code
        out.own_data = False
        return out
    head_is_done = code == 0
    # Step 3.
    pending, out.members = out.members, []
    # Step 4.
    for number in list(pending):
        code = submit(number)
        if finished_at_submit(code):
            out.errs[number] = code
            pending.remove(number)
            out.members.append(number)
    # Steps 5 and 6.
    while pending or not head_is_done:
        if not head_is_done:
            code = poll(0)
            if finished_at_poll(code):
                out.errs[0] = code
                head_is_done = True
        for number in list(pending):
            code = poll(number)
            if finished_at_poll(code):
                out.errs[number] = code
                pending.remove(number)
                out.members.append(number)
    # Step 7.
    out.calls.append(out.errs[0])
    out.returned = out.errs[0]
    return out


@given(setting=settings, data=st.data())
async def test_the_parallel_runner_does_what_its_model_does(setting: Setting, data: st.DataObject) -> None:
    work = data.draw(st.lists(works, min_size=setting.count, max_size=setting.count))
    reqs = build(setting, calls := Calls())
    polls = {req: list(each.polls) for req, each in zip(reqs, work, strict=True)}
    log: list[str] = []

    def answer(event: str, req: AcompReq, code: int) -> Code:
        log.append(f"{event}{reqs.index(req)}")
        req.base.data = "a job"
        if not work[reqs.index(req)].coroutine:
            return code

        async def later() -> int:
            await asyncio.sleep(0)
            return code

        return later()

    returned = await acomp_do_async_req_chain(
        reqs[0],
        lambda req: answer("s", req, work[reqs.index(req)].submit),
        lambda req: answer("p", req, polls[req].pop(0)),
    )
    assert observed(returned, log, reqs, calls) == parallel_model(setting, work)
    assert not any(req.busy for req in reqs)


operations = st.sampled_from([0, 0, 0, -EINVAL, -EAGAIN, -E2BIG])


@dataclass(frozen=True)
class Step:
    """What an operation answers, and, if that is pending, how often its driver says "left the backlog", and its end."""

    code: int
    notices: int
    end: int
    coroutine: bool


steps = st.one_of(
    st.builds(Step, operations, st.just(0), st.just(0), st.booleans()),
    st.builds(Step, st.sampled_from([-EINPROGRESS, -EBUSY]), st.integers(0, 2), operations, st.just(False)),
)


def serial_model(setting: Setting, work: list[Step], failing_allocation: bool) -> Outcome:
    """The serial runner, step by step; a one-element chain and a head alone record their err."""
    out = Outcome(errs=setting.first_errs, members=list(range(1, setting.count)))
    pending_codes = (-EINPROGRESS, -EBUSY)
    if not setting.is_head or setting.count == 1 or not setting.opted_in:
        out.log.append("0")
        out.returned = code = work[0].code
        if code in pending_codes:
            out.calls += [-EINPROGRESS] * work[0].notices
            code = work[0].end
            out.calls.append(code)
        if setting.is_head:
            out.errs[0] = code
        return out
    # Step 1.
    if setting.is_async and failing_allocation:
        out.errs = [-ENOMEM] * setting.count
        out.returned = -ENOMEM
        return out
    # Step 2.
    pending, out.members = out.members, []
    current = 0

    def operate() -> int:
        out.log.append(str(current))
        return work[current].code

    def finish(code: int) -> int:
        """Step 4."""
        nonlocal current
        out.errs[current] = code
        if current:
            out.members.append(current)
        while pending:
            current = pending.pop(0)
            code = operate()
            if code == -EINPROGRESS:
                return -EBUSY if pending else -EINPROGRESS
            if code == -EBUSY:
                return -EBUSY
            out.errs[current] = code
            out.members.append(current)
        return code

    # Step 3.
    code = operate()
    result = out.returned = -EBUSY if code in pending_codes else finish(code)
    # The continuation: whatever is under way is completed by its driver, until nothing is.
    while result in pending_codes:
        if not pending:
            out.calls += [-EINPROGRESS] * work[current].notices
        result = finish(work[current].end)
        if result != -EBUSY:
            out.calls.append(result)
    return out


def may_wait(setting: Setting, work: list[Step]) -> list[Step]:
    """Only an async transform's operations go asynchronous, and once one has, no later one may be a coroutine."""
    steps: list[Step] = []
    for step in work:
        if step.code in (-EINPROGRESS, -EBUSY) and not setting.is_async:
            step = Step(step.end, 0, 0, False)
        if any(earlier.code in (-EINPROGRESS, -EBUSY) for earlier in steps):
            step = Step(step.code, step.notices, step.end, False)
        steps.append(step)
    return steps


@given(setting=settings, data=st.data(), failing=st.sampled_from([False] * 9 + [True]))
async def test_the_serial_runner_does_what_its_model_does(setting: Setting, data: st.DataObject, failing: bool) -> None:
    work = may_wait(setting, data.draw(st.lists(steps, min_size=setting.count, max_size=setting.count)))
    reqs = build(setting, calls := Calls())
    log: list[str] = []
    under_way: list[AcompReq] = []
    flags: dict[AcompReq, int] = {}
    for member in reqs[1:]:
        member.base.flags = ~CRYPTO_TFM_REQ_CHAIN

    def op(req: AcompReq) -> Code:
        step = work[reqs.index(req)]
        log.append(str(reqs.index(req)))
        flags[req] = req.base.flags
        if step.code in (-EINPROGRESS, -EBUSY):
            under_way.append(req)
        if not step.coroutine:
            return step.code

        async def later() -> int:
            await asyncio.sleep(0)
            return step.code

        return later()

    with fault.installed(lambda point: failing):
        returned = await acomp_do_req_chain(reqs[0], op)
    driven_from = len(log)
    while under_way:
        req = under_way.pop()
        step = work[reqs.index(req)]
        for err in (*[-EINPROGRESS] * step.notices, step.end):
            compl = req.base.complete
            assert compl is not None
            assert req.busy
            compl(req.base.data, err)
    assert observed(returned, log, reqs, calls) == serial_model(setting, work, failing)
    assert not any(req.busy for req in reqs)
    assert reqs[0].base.complete is calls
    for at, name in enumerate(log):
        if at:
            expected = ~CRYPTO_TFM_REQ_CHAIN
            assert flags[reqs[int(name)]] == (expected if at < driven_from else expected & CRYPTO_TFM_REQ_MAY_BACKLOG)


@given(data=st.data(), count=st.integers(2, 6))
async def test_a_chain_can_be_run_again_and_again(data: st.DataObject, count: int) -> None:
    """By either runner, in the order the last run left it, without being initialised in between."""
    setting = Setting(count, True, True, True)
    reqs = build(setting, calls := Calls())
    for _ in range(3):
        order = [reqs[0], *acomp_chain_members(reqs[0])]
        calls.clear()
        if data.draw(st.booleans()):
            codes = data.draw(st.lists(operations, min_size=count, max_size=count))
            ends = dict(zip(reqs, codes, strict=True))
            assert await acomp_do_req_chain(reqs[0], ends.__getitem__) == ends[order[-1]]
            assert errs(reqs) == codes
            assert list(acomp_chain_members(reqs[0])) == order[1:]
        else:
            rounds = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
            left = dict(zip(reqs, rounds, strict=True))

            def poll(req: AcompReq, left: dict[AcompReq, int] = left) -> int:
                left[req] -= 1
                return -EAGAIN if left[req] >= 0 else 0

            assert await acomp_do_async_req_chain(reqs[0], lambda req: -EINPROGRESS, poll) == 0
            assert errs(reqs) == [0] * count
            # Completion order: by rounds, and within a round the order of the list.
            assert list(acomp_chain_members(reqs[0])) == sorted(order[1:], key=lambda req: rounds[reqs.index(req)])
            assert calls == [(DATA, 0)]
            for member in reqs[1:]:  # they are left with whatever the driver set; the serial runner overwrites it
                member.base.data = None
