"""A program in which many tasks fail, wait and are cancelled at once; `test_tasks` runs it as a process of its own.

The argument is a number of objects to make before, so that addresses come out differently.
"""

import asyncio
import sys

from swaplab import sim

ballast = [object() for _ in range(int(sys.argv[1]))]


async def worker(name: str, lock: asyncio.Lock) -> None:
    try:
        async with asyncio.timeout(len(name) % 3 + 1):
            async with lock:
                await asyncio.sleep(0.5)
            await asyncio.Event().wait()
    except BaseException as error:
        print(name, type(error).__name__, asyncio.get_running_loop().time())
        raise


async def group(number: int) -> None:
    lock = asyncio.Lock()
    try:
        async with asyncio.TaskGroup() as tasks:
            for child in range(30):
                tasks.create_task(worker(f"{number}/{child}", lock))
    except* TimeoutError as errors:
        print(number, len(errors.exceptions))


async def main() -> None:
    tasks = [asyncio.create_task(group(number)) for number in range(11)]
    done, pending = await asyncio.wait(tasks, timeout=1.25, return_when=asyncio.FIRST_COMPLETED)
    print([task.get_name() for task in done], [task.get_name() for task in pending])
    await asyncio.sleep(0.1)


sim.run(main())
