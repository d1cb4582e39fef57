"""The schema of slurm.conf, gres.conf, cgroup.conf and their kin, and its one reader."""
