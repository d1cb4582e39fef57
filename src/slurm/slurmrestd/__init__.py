"""The REST API: HTTP requests in Slurm's paths and records become messages to slurmctld, which alone says who may do what."""
