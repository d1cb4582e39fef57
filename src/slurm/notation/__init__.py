"""Slurm's little languages, read and shown: host lists, durations, moments, sizes, arrays, GRES, dependencies and the like."""
