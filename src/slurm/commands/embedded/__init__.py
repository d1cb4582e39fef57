"""The embedded cluster of `slurm up`: its files, its processes, and the subcommands that start, show, try and stop it."""
