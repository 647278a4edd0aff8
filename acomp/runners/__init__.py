"""What carries a chain through its operations: one request after the other, all at once, or all as one.

`serial` and `parallel` are the kernel's two runners and `batched` is ours; `run` is the state that the last two share.
Drivers call them, with the operations that submit and poll. They know requests and chains, never an algorithm.
"""
