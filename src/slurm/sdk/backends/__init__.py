"""Backends: one file for each way to run a job. `backend` is the seam that all of them fill."""
