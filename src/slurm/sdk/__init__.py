"""The SDK's room: tasks, workflows, jobs, clusters and their backends.

Users import its names from `slurm`; `slurm.doors` says which lead where.
"""
