"""A network block device over the compressed store: `swaplab nbd` serves one, and any NBD client can use it.

From the socket inwards: `listening` (sockets, TLS, who may come in, how it ends), `connection` (one client's bytes),
`negotiation` and `transmission` (the two phases of the protocol, without any I/O), `export` (the device: bytes by
offset, over `zswap.Swap`). `wire` is the format, `room` bounds what is in flight. Nothing here knows the command line.
"""
