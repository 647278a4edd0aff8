"""kernbench: a parallel build of the kernel that does not fit into its memory, as a workload in virtual time."""
