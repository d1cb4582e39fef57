"""PMI or PMIx for the tasks of a step that was started with --mpi."""

from __future__ import annotations

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.mpi.exchange import Collected, pieces
from slurm.slurmd.stepd.mpi.group import Facts
from slurm.slurmd.stepd.mpi.layout import parse
from slurm.slurmd.stepd.mpi.pmix import Pmix
from slurm.slurmd.stepd.mpi.service import Service
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.tasks import FAILED_STATUS


class Mpi(Hook):
    """A connection for each task; what nodes exchange goes through srun, whom each of them has let in."""

    def set_up(self, step: Step) -> None:
        """Be ready to give each task its connection."""
        record, io = step.record, step.io
        if not record.mpi or io is None:
            return
        try:
            layout = parse(record.places, record.size)
        except ValueError as error:
            raise OSError(f"--mpi={record.mpi}: {error}") from error
        facts = Facts(f"{record.job}.{record.step}", layout, frozenset(record.ranks))
        collected = Collected()

        def give(whole: bytes) -> None:
            for piece in pieces(whole):
                io.exchange(piece)

        def take(piece: bytes) -> None:
            try:
                whole = collected.take(piece)
                if whole is not None:
                    service.exchanged(whole)
            except ValueError as error:
                step.refuse(f"what MPI tasks exchange cannot be taken: {error}", FAILED_STATUS)

        service: Service | Pmix
        if record.mpi == "pmix":
            service = Pmix(step.loop, record, facts, step.cgroup, give, step.abort)
        else:
            service = Service(step.loop, facts, give, step.abort)
        step.mpi = service
        io.on_exchange = take

    def clean_up(self, step: Step) -> None:
        """Hang up."""
        if step.mpi is not None:
            step.mpi.close()
