"""What seff says of one job, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.model.accounting import JobRow
from slurm.model.states import JobState
from slurm.notation import duration, exitstatus
from slurm.render import accounting_entry, efficiency
from slurm.render.efficiency import Efficiency, Share

_GB = 1024**3
_UNITS = ((1024**4, "TB"), (_GB, "GB"), (1024**2, "MB"), (1024, "KB"))
NOT_MEASURED = "not measured"


def lines(row: JobRow, now: float) -> Iterator[str]:
    """The report; times until now (seconds since the epoch) of a job that runs."""
    job = row.job
    yield f"Job ID: {job.id}"
    if job.array_job:
        yield f"Array Job ID: {accounting_entry.job_id(job)}"
    yield f"Cluster: {row.cluster}"
    yield f"User/Group: {job.user}/{job.group}"
    state = accounting_entry.state_word(accounting_entry.Entry(row))
    if not job.start_time or not job.allocated:
        yield f"State: {state}"
        yield (f"Efficiency not available for jobs in the {state} state." if job.state is JobState.PENDING
            else "Efficiency not available: the job never started.")
        return
    running = not job.end_time
    yield f"State: {state}" if running else f"State: {state} (exit code {exitstatus.from_wait(job.exit_status).code})"
    yield from _size(row)
    yield from _shares(row, efficiency.of(row, now))
    if running:
        yield ("WARNING: Efficiency statistics can only be obtained after the job has ended as seff tool is based on the accounting "
               "database data.")


def _size(row: JobRow) -> Iterator[str]:
    cpus, nodes = row.job.allocated.get("cpu", 0), row.job.node_count
    if nodes > 1:
        yield f"Nodes: {nodes}"
        yield f"Cores per node: {cpus // nodes}"
    else:
        yield f"Cores: {cpus}" if cpus != 1 else "Cores: 1"


def _shares(row: JobRow, found: Efficiency) -> Iterator[str]:
    held = row.job.allocated
    yield f"CPU Utilized: {NOT_MEASURED if found.cpu.used is None else duration.show_clock(round(found.cpu.used))}"
    if found.cpu.percent is not None:
        yield f"CPU Efficiency: {found.cpu.percent:.2f}% of {duration.show_clock(round(found.cpu.held))} core-walltime"
    yield f"Job Wall-clock time: {duration.show_clock(round(found.seconds))}"
    several = " (estimated maximum)" if found.tasks > 1 and found.memory.used is not None else ""
    yield f"Memory Utilized: {NOT_MEASURED if found.memory.used is None else size(found.memory.used)}{several}"
    if found.memory.percent is not None:
        yield f"Memory Efficiency: {found.memory.percent:.2f}% of {size(found.memory.held)} ({_each(row, found.memory)})"
    if held.get("gres/gpu"):
        yield f"GPUs: {held['gres/gpu']}"
        told = (NOT_MEASURED if found.gpu.percent is None
            else f"{found.gpu.percent:.2f}% of {duration.show_clock(round(found.gpu.held))} GPU-walltime")
        yield f"GPU Efficiency: {told}"
    if found.partly:
        yield f"Not measured: {', '.join(found.partly)}"


def _each(row: JobRow, memory: Share) -> str:
    """Memory was asked for of each CPU or of each node."""
    if row.job.memory_per_cpu:
        return f"{size(memory.held / max(1, row.job.allocated.get('cpu', 1)))}/core"
    return f"{size(memory.held / max(1, row.job.node_count))}/node"


def size(number: float) -> str:
    """Bytes as "1.20 GB"."""
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:.2f} {name}"
    return f"{number:.2f} B"
