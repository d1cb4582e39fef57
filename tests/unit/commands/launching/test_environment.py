"""What the tasks of a step find in their environment."""

from slurm.commands.launching.environment import of_tasks


def tasks(environ: dict[str, str], export: str = "", *, keep: bool = False, step: dict[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    left_out: list[str] = []
    found = of_tasks(
        environ, export, {"SLURM_NNODES": "2", "SLURM_JOB_ID": "7"}, step or {"SLURM_NNODES": "1", "SLURM_STEP_ID": "0"}, umask=0o027, level=1,
        keep=keep, leave_out=left_out.append)
    return found, left_out


def test_the_step_tells_more_precisely_than_the_job_and_both_more_than_the_shell() -> None:
    found, _ = tasks({"HOME": "/home/alice", "SLURM_NNODES": "9", "SLURM_JOB_ID": "1"})
    assert (found["HOME"], found["SLURM_NNODES"], found["SLURM_JOB_ID"], found["SLURM_STEP_ID"]) == ("/home/alice", "1", "7", "0")


def test_srun_adds_what_it_knows() -> None:
    found, _ = tasks({})
    assert (found["SLURM_UMASK"], found["SRUN_DEBUG"], found["SLURM_SRUN_COMM_HOST"]) == ("0027", "4", "127.0.0.1")


def test_only_exported_variables_go_with_the_step() -> None:
    found, _ = tasks({"A": "1", "B": "2"}, "A,C=3")
    assert (found["A"], found["C"]) == ("1", "3")
    assert "B" not in found
    assert "A" not in tasks({"A": "1"}, "NONE")[0]


def test_preserve_env_keeps_the_sizes_of_the_shell() -> None:
    assert tasks({"SLURM_NNODES": "9"}, keep=True)[0]["SLURM_NNODES"] == "9"


def test_what_is_no_text_is_left_out_and_named() -> None:
    found, left_out = tasks({"BAD": "\udcff", "GOOD": "ä"})
    assert left_out == ["BAD"]
    assert found["GOOD"] == "ä"
