"""The schema of slurm.conf, gres.conf, cgroup.conf and their kin, and its one reader.

`slurm.config.config` is the door: find_conf, load, parse, Config. Import from the module, so that a command pays for what it uses.
"""
