"""`slurm setup`: writes what a cluster of one machine or many needs, by ssh where it has to, and nothing without assent."""
