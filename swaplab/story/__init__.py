"""Scripts: calls with the kernel's names as data, run in virtual time, recorded, drawn and explained.

`validate` reads a `script`, `run` runs it and gives an `answer`; `transcript` says it in words, `picture` draws it, and
`explain` has the words for every code and exception. A `story` is the script that `swaplab chain` makes of its options.
"""
