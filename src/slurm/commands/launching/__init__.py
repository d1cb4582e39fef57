"""How srun and salloc get an allocation, and how srun starts a step, carries its streams and tells how it ended."""
