"""Workloads measured side by side: slurm-py, Debian's real Slurm and HyperQueue where they are installed, in one run."""
