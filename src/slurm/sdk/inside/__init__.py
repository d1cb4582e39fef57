"""What happens inside a job: the runner, how it finds the task's function, and what it hands to it."""
