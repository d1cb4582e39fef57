"""MPI programs over four machines, each with a network, host name and processes of its own, as an ordinary user: nothing but our srun starts them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machines import ALICE, Machines, why_not
from tests.system.mpi_programs import compiled, missing

pytestmark = pytest.mark.skipif(bool(why_not() or missing()), reason=why_not() or f"not installed: {missing()}")

TCP = {"UCX_TLS": "tcp,self", "OMPI_MCA_btl": "tcp,self", "OMPI_MCA_pml": "ob1", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
"""The machines share a kernel, by which UCX would take them for one. Debian's MPICH 4.0.2 is not run to its end here: over UCX's TCP it does not
always come out of MPI_Finalize, by its own mpiexec neither; on the nodes of one machine `test_mpi` runs it."""
SEED = Path(__file__).resolve().parents[2].parent / "shared" / "seeds" / "002_cc3caa47dc18250d.txt"


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Machines(nodes=4, cpus=4, conf="MpiDefault=pmi2") as found:
        found.up()
        yield found


def test_open_mpi_runs_by_srun_over_the_network(machines: Machines) -> None:
    openmpi = compiled("talk", "openmpi", machines.work)
    head = machines["head"]
    assert head.ok("srun", "--mpi=pmix", "-N4", "-n16", openmpi, user=ALICE, env=TCP, timeout=120) == "16 ranks, sum 120\n"


def test_a_rank_that_is_killed_ends_the_step_on_every_machine(machines: Machines) -> None:
    head = machines["head"]
    for kind, words in (("mpich", ["--mpi=pmi2"]), ("openmpi", ["--mpi=pmix"])):
        program = compiled("abort", kind, machines.work)
        killed = head.run("srun", *words, "-N4", "-n8", program, "kill", user=ALICE, env=TCP, timeout=120)
        assert killed.status in (137, 143) and "task 7: Killed" in killed.err, killed
        aborted = head.run("srun", *words, "-N4", "-n8", program, "abort", "3", user=ALICE, env=TCP, timeout=120)
        assert aborted.status == 3, aborted
        for node in machines.nodes:
            assert node.run("pgrep", "-f", f"{program}|pmix_server").status == 1, node.name


def test_mpirun_starts_its_daemons_by_srun(machines: Machines) -> None:
    head = machines["head"]
    program = compiled("talk", "openmpi", machines.work)
    (machines.work / "openmpi.sh").write_text(f"#!/bin/sh\nmkdir -p $TMPDIR\nmpirun.openmpi {program}\n")
    done = head.run("sbatch", "-W", "-N4", "-n8", "-o", "openmpi.out", "openmpi.sh", user=ALICE, env={**TCP, "TMPDIR": f"{machines.work}/tmp"}, timeout=120)
    said = (machines.work / "openmpi.out").read_text()
    assert done.status == 0 and said == "8 ranks, sum 28\n", (done, said)


@pytest.mark.skipif(not SEED.exists(), reason="the seeds are not here")
def test_the_mpirun_script_of_seed_002_runs_as_it_stands(machines: Machines) -> None:
    found = re.search(r"\n( +)#!/bin/bash\n\n +# Usage:.*?\n +launch \"\$@\"\n", SEED.read_text(), re.DOTALL)
    assert found is not None
    (machines.work / "mpirun.sh").write_text(textwrap.dedent(found.group(0)).lstrip("\n"))
    (machines.work / "mpirun.sh").chmod(0o755)
    program = compiled("talk", "openmpi", machines.work)
    done = machines["head"].run("salloc", "-N", "4", "./mpirun.sh", "2", program, env=TCP, timeout=120)
    assert done.status == 0 and "[1,0]<stdout>:8 ranks, sum 28\n" in done.out, done
