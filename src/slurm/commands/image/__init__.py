"""`slurm image …`: images of containers: made into files, and those that nodes of this machine have unpacked for the caller."""
