"""What batch jobs write, for their owners and operators: read on the node of the script, as the job's user."""

from __future__ import annotations

from slurm.core import rights
from slurm.model.errors import NotFound, NotPermitted
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.launch import output_paths
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire.output_messages import ReadFile


async def on_read(ctl: Controller, session: Session, message: m.ReadOutput) -> m.OutputRead:
    """Ask the node. Of a job that waits there is nothing yet."""
    job = ctl.find_job(message.job_id)
    caller = session.caller
    # As root, a file is read through links that others may have put there: what root's jobs write is for root.
    if caller.uid not in (job.owner.uid, 0) and (job.owner.uid == 0 or not rights.is_operator(ctl.cluster, caller)):
        raise NotPermitted()
    if not job.runs_script:
        raise NotFound("ESLURM_JOB_SCRIPT_MISSING", hints=["only batch jobs write files: the output of srun is where srun runs"])
    if not job.batch_host:
        return m.OutputRead(offset=message.offset, ended=job.state.finished)
    _, out, err = output_paths(job, job.batch_host)
    path = err if message.stream == "stderr" else out
    ended = job.state.finished and not job.completing  # before the file is read, so that nothing is missed
    found = await ctl.links.files.ask(
        job.batch_host, ReadFile(number=0, path=path, uid=job.owner.uid, gid=job.owner.gid, user=job.owner.user, offset=message.offset),
        uid=caller.uid, first=ctl.goes_first(session))
    return m.OutputRead(data=found.data, offset=found.offset, size=found.size, path=path, ended=ended)
