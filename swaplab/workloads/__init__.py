"""Workloads of the paper machine, in virtual time, through the real zswap, acomp and iaa_emulator code."""
