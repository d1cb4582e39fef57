"""`slurm support`: what somebody who helps from afar needs to know of a cluster, in one file, without its secrets."""
