"""The `iaa_crypto` driver: it binds queues, maps cpus to them, submits, polls, verifies, counts and falls back.

Its hardware is in the room `hardware`; who opens it, binds it and closes it is the `platform`.
"""
