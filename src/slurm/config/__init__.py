"""The schema of slurm.conf, gres.conf, cgroup.conf and their kin, and its one reader.

Two doors: `slurm.config.keys` (find_conf, read_keys) for commands, `slurm.config.config` (load, parse, Config) for daemons.
"""
