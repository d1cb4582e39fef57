"""The process manager interface of MPI programs (PMI-1 and PMI-2): what a step's tasks ask their slurmstepd while MPI_Init runs.

`lines` and `packets` are the two notations, `group` what the tasks of a node share, `talk` one task's requests, all pure; `service` has the
sockets.
"""
