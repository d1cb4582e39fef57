"""`slurm top`: a cluster on one screen. Here: what it shows and which keys it takes.

Not here: what is asked of a cluster (`sdk.inspection`).
"""
