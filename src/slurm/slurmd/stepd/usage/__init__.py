"""What the tasks of a step use: CPU time, memory, page faults, bytes read and written, GPUs, energy.

`gatherer` puts it together; `processes` reads one process from /proc, `tree` says which processes are whose, `task` keeps what one task has
used so far, `cgroup_figures`, `gpu_readings` and `energy` read what processes cannot tell. slurmstepd stays small: nothing here imports
msgspec, and slurmd makes of its figures what is told (`slurmd.usage`).
"""
