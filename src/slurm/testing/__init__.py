"""Builders, fake clock, fake executor, mini-cluster: shipped so that others can test against slurm-py."""
