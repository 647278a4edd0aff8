"""Experiments on the modelled machine: tables of columns, attribution to patches, sweeps, calibration."""
