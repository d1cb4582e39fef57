"""`slurm jobs …`: the jobs of a cluster for those who submit them. One file a verb; what the verbs share is in `wanted` and `told`."""
