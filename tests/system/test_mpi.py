"""MPI programs compiled with Debian's MPICH and Open MPI, by srun and by their own mpiexec, on four nodes of one machine."""

from __future__ import annotations

import time

import pytest

from tests.system.harness import Cluster
from tests.system.mpi_programs import compiled, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

SUM_OF_16 = 120
QUIET = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_btl": "tcp,self"}
"""Emulated nodes are one machine: shared memory would be taken for that of each of them."""


def no_program_is_left(cluster: Cluster, program: str) -> bool:
    return not [process for process in cluster.processes() if process.cmdline()[:1] == [program]]


def test_mpich_runs_by_srun_on_four_nodes(cluster: Cluster) -> None:
    talk = compiled("talk", "mpich", cluster.work)
    for words in (["-N4", "-n16"], ["-N4", "-n16", "-m", "cyclic"], ["-N2", "-n3"], ["-n1"]):
        count = int(words[-1 if words[-1].startswith("-n") else 1][2:])
        assert cluster.ok("srun", "--mpi=pmi2", *words, talk) == f"{count} ranks, sum {sum(range(count))}\n", words
    assert cluster.ok("srun", "-N2", "-n4", talk, env={"SLURM_MPI_TYPE": "pmi2"}) == "4 ranks, sum 6\n"
    alone = cluster.ok("srun", "--mpi=none", "-N2", "-n2", talk)
    assert alone == "1 ranks, sum 0\n" * 2


def test_an_mpi_step_inside_an_mpi_task_finds_its_own_supervisor(cluster: Cluster) -> None:
    talk = compiled("talk", "mpich", cluster.work)
    inside = f"srun --overlap --mpi=pmi2 -n2 {talk} && srun --overlap --mpi=none -n1 bash -c 'echo [$PMI_FD]'"
    shown = cluster.ok("srun", "--mpi=pmi2", "-N1", "-n2", "bash", "-c", f"[ $PMI_RANK = 1 ] || {{ {inside}; }}")
    assert shown == "2 ranks, sum 1\n[]\n"


def test_the_step_ends_with_the_code_that_a_rank_aborts_with(cluster: Cluster) -> None:
    abort = compiled("abort", "mpich", cluster.work)
    for words in ([], ["-K0"]):
        done = cluster.run("srun", "--mpi=pmi2", "-N4", "-n8", *words, abort, "abort", "3")
        assert done.status == 3 and "srun: Terminating StepId=" in done.err, done
    assert no_program_is_left(cluster, abort)


def test_a_rank_that_is_killed_ends_the_step(cluster: Cluster) -> None:
    abort = compiled("abort", "mpich", cluster.work)
    began = time.monotonic()
    job, status = cluster.finish("-N4", "-n8", "-o", "killed.out", "--wrap", f"srun --mpi=pmi2 {abort} kill")
    assert status in (137, 143) and time.monotonic() - began < 30
    assert "task 7: Killed" in cluster.output("killed.out") and cluster.state(job) == "FAILED"
    assert no_program_is_left(cluster, abort)


def test_libpmi2_is_answered_as_it_expects(cluster: Cluster) -> None:
    pmi2 = compiled("pmi2", "pmi2", cluster.work)
    shown = cluster.ok("srun", "--mpi=pmi2", "-N2", "-n4", pmi2).splitlines()
    assert sorted(shown) == [
        "mapping (vector,(0,1,3),(1,1,1))", "publishing is refused", *(f"rank {rank} of 4 got value;of={(rank + 1) % 4}" for rank in range(4))]
    done = cluster.run("srun", "--mpi=pmi2", "-N2", "-n4", pmi2, "abort")
    assert done.status and "task 1 aborted: enough" in done.err, done


def test_a_task_that_speaks_no_pmi_ends_its_own_step_only(cluster: Cluster) -> None:
    other = cluster.spawn("srun", "-n1", "bash", "-c", "until [ -e forged.gate ]; do sleep 0.1; done; echo unharmed")
    for forged in ("hello", "cmd=init pmi_version=1 pmi_subversion=1\\ncmd=barrier_in\\ncmd=barrier_in", "$(head -c 100000 /dev/zero | tr '\\\\0' x)"):
        done = cluster.run("srun", "--mpi=pmi2", "-n2", "bash", "-c", f'[ $PMI_RANK = 0 ] && printf "{forged}\\n" >&$PMI_FD; sleep 50', timeout=30)
        assert done.status == 1 and "task 0 aborted: it sent what is no PMI" in done.err, done
    cluster.open_gate("forged")
    assert other.communicate(timeout=30)[0] == "unharmed\n"


def test_hydra_starts_its_proxies_by_our_srun(cluster: Cluster) -> None:
    talk = compiled("talk", "mpich", cluster.work)
    shown = cluster.ok("salloc", "-N2", "-n4", "mpiexec.hydra", "-verbose", talk)
    assert "4 ranks, sum 6\n" in shown
    assert [line for line in shown.splitlines() if "Launch arguments: " in line and "/srun " in line and "--proxy-id -1" in line], shown
    cluster.finish("-N2", "-n4", "-o", "hydra.out", "--wrap", f"mpiexec.hydra {talk}")
    assert cluster.output("hydra.out") == "4 ranks, sum 6\n"


def test_open_mpis_mpirun_starts_its_daemons_by_our_srun(cluster: Cluster) -> None:
    talk = compiled("talk", "openmpi", cluster.work)
    assert cluster.ok("salloc", "-N2", "-n4", "mpirun.openmpi", talk, env=QUIET) == "4 ranks, sum 6\n"
    aborted = cluster.run("salloc", "-N2", "-n4", "mpirun.openmpi", compiled("abort", "openmpi", cluster.work), "abort", "3", env=QUIET)
    assert aborted.status == 3, aborted
    assert no_program_is_left(cluster, "./abort.openmpi") and no_program_is_left(cluster, "orted")


def test_open_mpi_runs_by_srun_with_pmix(cluster: Cluster) -> None:
    talk = compiled("talk", "openmpi", cluster.work)
    for words in (["-N4", "-n16"], ["-N4", "-n8", "-m", "cyclic"], ["-N2", "-n3"], ["-n1"]):
        count = int(words[-1 if words[-1].startswith("-n") else 1][2:])
        assert cluster.ok("srun", "--mpi=pmix", *words, talk, env=QUIET) == f"{count} ranks, sum {sum(range(count))}\n", words
    inside = f"[ $PMIX_RANK = 1 ] || srun --overlap --mpi=pmix_v4 -n2 {talk}"
    assert cluster.ok("srun", "--mpi=pmix", "-N1", "-n2", "bash", "-c", inside, env=QUIET) == "2 ranks, sum 1\n"


def test_a_pmix_step_ends_when_a_rank_aborts_or_is_killed_and_leaves_nothing(cluster: Cluster) -> None:
    abort = compiled("abort", "openmpi", cluster.work)
    aborted = cluster.run("srun", "--mpi=pmix", "-N2", "-n4", abort, "abort", "3", env=QUIET)
    assert aborted.status == 3, aborted
    killed = cluster.run("srun", "--mpi=pmix", "-N2", "-n4", abort, "kill", env=QUIET)
    assert killed.status in (137, 143) and "task 3: Killed" in killed.err, killed
    assert no_program_is_left(cluster, abort)
    assert not [process for process in cluster.processes() if "slurm.slurmd.stepd.mpi.pmix_server" in process.cmdline()]
    assert not [path for path in (cluster.folder / "spool").glob("*/steps/*/pmix/*")]
