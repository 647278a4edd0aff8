"""How fast swaplab is in real time, each figure beside the raw limit measured in the same run: `python -m benchmarks`.

How to read it is in docs/benchmarks.md. Nothing here is a test; nothing of the packages imports it.
"""
