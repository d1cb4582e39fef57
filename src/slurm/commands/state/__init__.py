"""`slurm state`: the state of a cluster, moved from one kind of store to another. How it is copied is told in `slurmctld.state_copy`."""
