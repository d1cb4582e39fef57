"""sackd: the daemon of a login node. It carries the commands of its machine to slurmctld on one connection, and says who asks."""
