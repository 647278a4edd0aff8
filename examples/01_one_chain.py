"""A chain of four requests on an algorithm that does nothing, slowly: submit them all, then poll.

The kernel's names are the API. The algorithm here "finishes" a request after it has been polled a few times, so that
the order of things can be read off the log: no poll before the last submit, the head first in every round, and the
chain's list in order of completion afterwards.
"""

import asyncio
import errno

import acomp

POLLS_NEEDED = {"A": 2, "B": 3, "C": 1, "D": 2}

log: list[str] = []
polls: dict[str, int] = {}
names: dict[acomp.AcompReq, str] = {}


def submit(req: acomp.AcompReq) -> int:
    log.append(f"submit {names[req]}")
    polls[names[req]] = 0
    return -errno.EINPROGRESS


def poll(req: acomp.AcompReq) -> int:
    name = names[req]
    polls[name] += 1
    done = polls[name] == POLLS_NEEDED[name]
    log.append(f"poll {name}" + (" done" if done else ""))
    if not done:
        return -errno.EAGAIN
    req.deliver(bytes(req.source()))
    return 0


async def compress(req: acomp.AcompReq) -> int:
    return await acomp.acomp_do_async_req_chain(req, submit, poll)


null = acomp.AcompAlg(
    cra_name="null",
    cra_driver_name="null-polled",
    cra_priority=1,
    cra_flags=acomp.CRYPTO_ALG_ASYNC | acomp.CRYPTO_ALG_REQ_CHAIN,
    compress=compress,
    decompress=compress,
    get_batch_size=lambda: 4,
)


async def main() -> None:
    acomp.crypto_register_acomp(null)
    tfm = acomp.crypto_alloc_acomp("null")
    wait = acomp.CryptoWait()
    reqs = [acomp.acomp_request_alloc(tfm) for _ in "ABCD"]
    for req, name in zip(reqs, "ABCD", strict=True):
        names[req] = name
        acomp.acomp_request_set_params(req, name.encode() * 4096, bytearray(4096), 4096, 4096)

    head, *members = reqs
    acomp.acomp_reqchain_init(head, 0, acomp.crypto_req_done, wait)
    for member in members:
        acomp.acomp_request_chain(member, head)
    err = await acomp.crypto_wait_req(acomp.crypto_acomp_compress(head), wait)

    print("\n".join(log))
    print("the head's result:", err)
    print("each one's own:", {names[req]: acomp.acomp_request_err(req) for req in reqs})
    print("members, in order of completion:", [names[req] for req in acomp.acomp_chain_members(head)])
    acomp.acomp_reqchain_clear(head, wait)


with acomp.registry():
    asyncio.run(main())
