"""What stands in the machine: sockets, devices, queues, engines, and the descriptors that go through them.

Configured as `accel-config` would, it takes jobs and lands them. It knows nothing of the driver above it.
"""
