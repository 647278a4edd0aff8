"""The paper machine: its numbers as data, the kernels that are compared on it, and engines at modelled times."""
