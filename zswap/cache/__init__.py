"""A cache of values of any length under a budget of bytes, compressed: `zswap.Cache`, for programs without pages.

`cache` is the door. Below it `flights` computes what is missing once, `room` makes space, by `eviction` and `spill`,
and `units` compresses. What they work on is pure bookkeeping: `values`, `entry`, `deadlines`, `order`, `counters`.
Of the store beside it, it shares the swap device, its slots and I/O, the mutex and the line; nothing of it is imported
by anybody else.
"""
