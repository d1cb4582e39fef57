"""Filters: each file one rule that can keep a job, or a node from a job, with its own refusal. `stack` lists them in order."""
