"""The `iaa_crypto` driver: it binds queues, maps cpus to them, submits, polls, verifies, counts and falls back.

The hardware is next door, in `hardware`; who opens the driver, binds it and closes it is `platform`.
"""
