"""How a job is submitted again."""

from __future__ import annotations

from slurm.sched.explain import explain
from slurm.sched.resubmission import again
from slurm.testing import builders as b


def test_what_is_changed_replaces_what_the_line_said_of_it_and_the_rest_stays() -> None:
    assert again("sbatch -t 10 --mem=4G -n4 train.sh -t 3", "/home/a b", {"time": "20:00"}) == (
        "cd '/home/a b' && sbatch --time=20:00 --mem=4G -n4 train.sh -t 3")
    assert again("sbatch -W -o out --mem 20M -N1 train.sh --mem=1", "", {"mem": "40M"}) == "sbatch --mem=40M -W -o out -N1 train.sh --mem=1"
    assert again("sbatch --mem=20M --wrap 'a b' -n2", "", {"mem": "40M"}) == "sbatch --mem=40M --wrap 'a b' -n2"
    assert again("sbatch --time 10 job.sh", "", {"time": "20:00"}) == "sbatch --time=20:00 job.sh"
    assert again("sbatch --mem-per-cpu=1G job.sh", "", {"mem-per-cpu": "2G"}) == "sbatch --mem-per-cpu=2G job.sh"


def test_words_are_quoted_for_the_shell() -> None:
    assert again("sbatch --wrap 'echo $HOME; ls'", "", {}) == "sbatch --wrap 'echo $HOME; ls'"


def test_words_that_had_quotes_have_them_again() -> None:
    line = "sbatch --comment=a b --wrap python3 -c 'x = \"a b\"' -n2"
    assert again(line, "", {}, ["a b", "python3 -c 'x = \"a b\"'", ""]) == (
        """sbatch '--comment=a b' --wrap 'python3 -c '"'"'x = "a b"'"'"'' -n2""")
    assert again("sbatch run.sh a b c", "", {}, ["c", "a b"]) == "sbatch run.sh 'a b' c"
    assert again("sbatch run.sh 'a b' c", "", {}, ["c", "a b"]) == "sbatch run.sh 'a b' c"


def test_the_command_of_a_wrapped_job_is_taken_from_its_script() -> None:
    c = b.cluster(1)
    job = b.submit(c, submit_line="sbatch --wrap nosuch 3; true -n2", work_dir="/w")
    b.start(c, job, "cn01")
    b.finish(c, job, 127)
    found = explain(c, job, b.T0 + 70, script="#!/bin/sh\n# This script was created by sbatch --wrap.\n\nnosuch 3; true\n")
    assert found.again == "cd /w && sbatch --wrap 'nosuch 3; true' -n2"


def test_what_was_no_command_line_is_not_made_one() -> None:
    assert again("", "/tmp", {}) == again("python -m thing", "/tmp", {}) == again("sbatch 'unfinished", "/tmp", {}) == ""
