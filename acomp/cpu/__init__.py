"""The current cpu, the time, and what things cost. No dependencies; all packages above read these and nothing else.

**Cpus** are ids 0 .. nr_cpu_ids() - 1. A task runs on the cpu it was pinned to (`on_cpu`, inherited by child tasks as
affinity is) or, if it never was, on the next cpu in rotation when it first asks; it keeps that one, and its
children do not inherit it (eight children of one task would share one cpu).

**Costs.** `charge` adds a testbed's nanoseconds to the account of the current task, `settle` spends it. Without
a cost model, that is in real time, charge does nothing and settle returns without suspending.
"""

from .clock import now_ns
from .costs import charge, cost_ns, costs, is_modelled, owed_ns, reached_ns, settle
from .current import Host, current_cpu, host, is_pinned, nr_cpu_ids, on_cpu

__all__ = [
    "now_ns",
    "nr_cpu_ids",
    "current_cpu",
    "on_cpu",
    "is_pinned",
    "host",
    "Host",
    "charge",
    "cost_ns",
    "settle",
    "owed_ns",
    "reached_ns",
    "is_modelled",
    "costs",
]
