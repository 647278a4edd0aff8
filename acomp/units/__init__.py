"""Many pages in one call, without a chain: unit requests (v12 to v14) and arrays (v9). docs/generations.md.

An algorithm has one primitive for a batch of units, which knows no request (`batch.UnitOperation`). Three adapters
bring requests to it: `acomp.runners.batched` chains, `run` unit requests, `arrays` arrays.
"""
