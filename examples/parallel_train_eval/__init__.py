"""Training and evaluation side by side, in a workflow that survives a requeue: `workflow` is the program, the other files are what its jobs run."""
