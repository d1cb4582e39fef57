"""What of the submitter's environment sbatch sends along."""

from slurm.net.batch_environment import submitted_environment


def test_a_variable_that_is_no_text_is_left_out_and_named() -> None:
    left_out: list[str] = []
    sent = submitted_environment({"BAD": "\udcff", "GOOD": "ä\nb"}, None, "", "/here", left_out.append)
    assert left_out == ["BAD"]
    assert sent["GOOD"] == "ä\nb"
    assert "BAD" not in sent


def test_what_describes_the_job_around_is_not_handed_on() -> None:
    sent = submitted_environment({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "HOME": "/h"}, None, "", "/here", list().append)
    assert "SLURM_NTASKS" not in sent
    assert (sent["HOME"], sent["SLURM_SUBMIT_DIR"]) == ("/h", "/here")


def test_a_token_stays_on_the_machine_where_it_was_set() -> None:
    assert "SLURM_JWT" not in submitted_environment({"SLURM_JWT": "a.b.c", "HOME": "/h"}, None, "", "/here", list().append)
    assert "SLURM_JWT" not in submitted_environment({"SLURM_JWT": "a.b.c", "HOME": "/h"}, "SLURM_JWT", "", "/here", list().append)
