"""`slurm cert …`: certificates of the cluster's daemons, where slurm.key is: made, shown, revoked, and the key rotated."""
