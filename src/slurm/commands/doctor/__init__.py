"""`slurm doctor`: what a site's administrator would look at, looked at: a table of checks over facts of the cluster's machines."""
