"""How submitted jobs are followed: their states, logs, progress and ends, and trying again."""
