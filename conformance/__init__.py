"""Other people's tests of asyncio, run on the virtual loop: `make conformance`.

`suites.toml` says which, what of them is refused, and why; `plugin` makes every loop of a pytest run a virtual one;
`__main__` runs each suite in a process of its own and compares what came out with docs/conformance.md. CPython's tests
come with Python; the packages' come in their wheels (`requirements.txt`), into an environment that only this uses.
"""
