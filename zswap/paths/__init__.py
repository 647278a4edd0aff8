"""The ways of a page through the store: in, out, and on to the swap device.

Each is a function over the parts of a store (`parts`). `zswap` opens, checks and closes; here pages move.
"""
