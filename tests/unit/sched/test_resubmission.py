"""How a job is submitted again."""

from __future__ import annotations

from slurm.sched.resubmission import again


def test_what_is_changed_replaces_what_the_line_said_of_it_and_the_rest_stays() -> None:
    assert again("sbatch -t 10 --mem=4G -n4 train.sh -t 3", "/home/a b", {"time": "20:00"}) == (
        "cd '/home/a b' && sbatch --time=20:00 --mem=4G -n4 train.sh -t 3")
    assert again("sbatch --time 10 job.sh", "", {"time": "20:00"}) == "sbatch --time=20:00 job.sh"
    assert again("sbatch --mem-per-cpu=1G job.sh", "", {"mem-per-cpu": "2G"}) == "sbatch --mem-per-cpu=2G job.sh"


def test_words_are_quoted_for_the_shell() -> None:
    assert again("sbatch --wrap 'echo $HOME; ls'", "", {}) == "sbatch --wrap 'echo $HOME; ls'"


def test_what_was_no_command_line_is_not_made_one() -> None:
    assert again("", "/tmp", {}) == again("python -m thing", "/tmp", {}) == again("sbatch 'unfinished", "/tmp", {}) == ""
