"""Plug-ins: Python of the site that slurmctld and the commands call, each in a process of its own with a deadline, so that none stops them.

One mechanism for every place: job completion, job submission, command line filters, site factor, and our own delivery of mail. A plug-in is
a module with functions of given names; it is a file `PLACE_NAME.py` in a folder of PluginDir, or an entry point `PLACE/NAME` of the group
"slurm.plugins".
`sources` finds it, `process` (asyncio) and `blocking` call it, `supervisor` and `worker` are the process, `records` is what it is given.
"""

from slurm.plugins.refused import Refused

__all__ = ["Refused"]
