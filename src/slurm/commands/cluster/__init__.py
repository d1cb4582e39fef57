"""`slurm cluster …`: the clusters that a Slurmfile names, and how one of them does.

One file a verb; what show and watch share is in `overview`.
"""
