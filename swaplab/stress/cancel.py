"""Who is cancelled when: the second half of the name of a run, beside its seed."""

from typing import NamedTuple


class Cancel(NamedTuple):
    """Target number `target` (from 0, in order of their making) is cancelled after event `k` of it, `times` in a row.

    Event 1 is the first event of the whole loop after the target's task was made.
    """

    target: int
    k: int
    times: int = 1

    def __str__(self) -> str:
        return f"target {self.target} after event {self.k}, {'once' if self.times == 1 else 'twice in a row'}"
