"""A cluster as its commands report it, so that our planner can look at one of a real Slurm that nobody has changed.

Lives here: texts of scontrol and sacct become the records that `core` and `sched` work with. Not here: how commands are asked (`backends`).
"""
