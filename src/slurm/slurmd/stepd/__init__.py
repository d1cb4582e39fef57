"""The supervisor of one step: owns its processes, files, limits and usage, and outlives a restart of slurmd."""
