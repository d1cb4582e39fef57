"""The table of what may be asked of a job, and its projections: flags, #SBATCH lines, variables, update keys."""
