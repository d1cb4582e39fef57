"""Batch jobs as a user meets them: how a script comes in, where it runs, what it reads and writes, how its end is reported."""

from __future__ import annotations

import os
import pwd
import stat

import pytest

from tests.system.harness import Cluster

# --- how a script comes in ------------------------------------------------------------------------------------------------


def test_a_script_runs_with_its_arguments_where_it_was_submitted(cluster: Cluster) -> None:
    cluster.script("args.sh", '#!/bin/bash\necho "$#|$1|$2|$3"\npwd\necho "$0"\n')
    job, status = cluster.finish("args.sh", "one", "two words", "")
    assert status == 0
    lines = cluster.output(f"slurm-{job}.out").splitlines()
    assert lines[:2] == ["3|one|two words|", str(cluster.work)]
    assert lines[2].endswith("slurm_script")


def test_submission_says_what_slurm_says(cluster: Cluster) -> None:
    result = cluster.run("sbatch", "--wrap", "true")
    assert result.status == 0
    assert result.out.startswith("Submitted batch job ") and result.out.split()[-1].isdigit()
    assert result.err == ""


def test_a_script_from_standard_input_may_have_arguments_and_directives(cluster: Cluster) -> None:
    job, status = cluster.finish("-o", "stdin_%j.out", stdin="#!/bin/bash\n#SBATCH -J from_stdin\necho $SLURM_JOB_NAME\n")
    assert (status, cluster.output(f"stdin_{job}.out")) == (0, "from_stdin\n")
    job, status = cluster.finish("-o", "stdin_%j.out", stdin="#!/bin/bash\necho $SLURM_JOB_NAME\n")
    assert (status, cluster.output(f"stdin_{job}.out")) == (0, "sbatch\n")


def test_wrap_is_a_shell_script_of_its_own(cluster: Cluster) -> None:
    job, status = cluster.finish("--wrap", "echo a 'b  c' \"$SLURM_JOB_NAME\" | cat")
    assert (status, cluster.output(f"slurm-{job}.out")) == (0, "a b  c wrap\n")
    assert cluster.ok("scontrol", "write", "batch_script", job, "-").splitlines()[0] == "#!/bin/sh"


def test_scripts_of_any_interpreter_run(cluster: Cluster) -> None:
    cluster.script("job.py", "#!/usr/bin/env python3\n#SBATCH -J snake\nimport os\nprint(os.environ['SLURM_JOB_NAME'])\n")
    job, status = cluster.finish("job.py")
    assert (status, cluster.output(f"slurm-{job}.out")) == (0, "snake\n")


def test_an_interpreter_that_does_not_exist_is_told_in_the_jobs_output(cluster: Cluster) -> None:
    cluster.script("nointerpreter.sh", "#!/no/such/shell\ntrue\n")
    job, status = cluster.finish("nointerpreter.sh")
    assert status != 0
    assert cluster.state(job) == "FAILED"
    assert "No such file or directory" in cluster.output(f"slurm-{job}.out")


def test_the_script_is_the_one_that_was_submitted_even_when_it_is_changed_afterwards(cluster: Cluster) -> None:
    cluster.script("changing.sh", "#!/bin/bash\necho first\n")
    job = cluster.sbatch("-H", "-o", "changing.out", "changing.sh")
    cluster.script("changing.sh", "#!/bin/bash\necho second\n")
    cluster.ok("scontrol", "release", job)
    cluster.until_ended(job)
    assert cluster.output("changing.out") == "first\n"


def test_directives_yield_to_the_environment_and_that_to_the_command_line(cluster: Cluster) -> None:
    cluster.script("order.sh", "#!/bin/bash\n#SBATCH -J script -c 2\n#SBATCH -n 1\necho $SLURM_JOB_NAME $SLURM_CPUS_PER_TASK\n")
    for env, words, expected in (
            ({}, (), "script 2"), ({"SBATCH_JOB_NAME": "variable"}, (), "variable 2"),
            ({"SBATCH_JOB_NAME": "variable"}, ("-J", "option", "-c3"), "option 3")):
        job, _ = cluster.finish("-o", "order_%j.out", *words, "order.sh", env=env)
        assert cluster.output(f"order_{job}.out").strip() == expected


# --- where it runs --------------------------------------------------------------------------------------------------------


def test_chdir_decides_where_it_runs_and_where_its_output_goes(cluster: Cluster) -> None:
    folder = cluster.work / "else where"
    folder.mkdir()
    job, status = cluster.finish("-D", str(folder), "--wrap", "pwd; echo $SLURM_SUBMIT_DIR")
    assert status == 0
    assert (folder / f"slurm-{job}.out").read_text().splitlines() == [str(folder), str(cluster.work)]  # as Slurm 22.05 has it


def test_a_folder_that_is_gone_is_said_and_the_job_runs_in_tmp(cluster: Cluster) -> None:
    job, status = cluster.finish("-D", "/nosuchdir", "-o", str(cluster.work / "gone_%j.out"), "--wrap", "pwd")
    text = cluster.output(f"gone_{job}.out")
    assert status == 0
    assert "error: couldn't chdir to `/nosuchdir': No such file or directory: going to /tmp instead" in text
    assert text.splitlines()[-1] == "/tmp"


def test_output_that_cannot_be_written_fails_the_job_and_not_the_node(cluster: Cluster) -> None:
    job, status = cluster.finish("-o", "/nosuchdir/x.out", "--wrap", "true")
    assert status == 1
    shown = cluster.show(job)
    assert (shown["JobState"], shown["ExitCode"]) == ("FAILED", "0:53")
    assert "drain" not in cluster.ok("sinfo", "-h", "-o", "%T")


# --- its environment ------------------------------------------------------------------------------------------------------


def test_export_decides_what_of_the_submitters_environment_comes_along(cluster: Cluster) -> None:
    env = {"MINE": "1", "OTHER": "two words"}
    shown = 'echo "${MINE-unset}|${OTHER-unset}|${NEW-unset}|${SLURM_JOB_ID:+job}|${HOME:+home}"'
    for words, expected in (
            ((), "1|two words|unset|job|home"),
            (("--export=ALL",), "1|two words|unset|job|home"),
            (("--export=ALL,NEW=x",), "1|two words|x|job|home"),
            (("--export=MINE",), "1|unset|unset|job|"),
            (("--export=MINE,NEW=a=b",), "1|unset|a=b|job|"),
            (("--export=NEW=it is",), "unset|unset|it is|job|")):
        job, status = cluster.finish("-o", "export_%j.out", *words, "--wrap", shown, env=env)
        text = cluster.output(f"export_{job}.out").strip()
        assert status == 0
        assert text.startswith(expected), words


def test_export_none_gives_the_users_login_environment_and_nothing_else(cluster: Cluster) -> None:
    job, status = cluster.finish(
        "--export=NONE", "-o", "none_%j.out", "--wrap", 'echo "${MINE-unset}|${SLURM_JOB_ID:+job}|${SLURM_EXPORT_ENV}|$HOME|$USER"', env={"MINE": "1"})
    account = pwd.getpwuid(os.getuid())
    assert (status, cluster.output(f"none_{job}.out").strip()) == (0, f"unset|job|NONE|{account.pw_dir}|{account.pw_name}")


def test_export_by_variable_is_export_by_option(cluster: Cluster) -> None:
    job, _ = cluster.finish("-o", "exportvar_%j.out", "--wrap", 'echo "${MINE-unset}|${OTHER-unset}"', env={"MINE": "1", "OTHER": "2", "SBATCH_EXPORT": "OTHER"})
    assert cluster.output(f"exportvar_{job}.out").strip() == "unset|2"


# --- what it reads and writes ---------------------------------------------------------------------------------------------


def test_patterns_in_output_names_are_filled_in_and_padded(cluster: Cluster) -> None:
    user = cluster.ok("id", "-un").strip()
    job, status = cluster.finish("-J", "nm", "-w", "cn02", "-o", "o_%j_%x_%u_%N_%n_%t_%%_%4j_%8A.txt", "--wrap", "true")
    assert status == 0
    assert [path.name for path in cluster.work.glob("o_*")] == [f"o_{job}_nm_{user}_cn02_0_0_%_{int(job):04d}_{int(job):08d}.txt"]


def test_patterns_of_arrays_name_array_and_task(cluster: Cluster) -> None:
    job, status = cluster.finish("-a", "1,3", "-o", "arr_%A_%a_%3a.txt", "-e", "arr_%A_%a.err", "--wrap", "echo $SLURM_ARRAY_TASK_ID; echo bad >&2")
    assert status == 0
    assert sorted(path.name for path in cluster.work.glob("arr_*")) == sorted(
        [f"arr_{job}_1_001.txt", f"arr_{job}_1.err", f"arr_{job}_3_003.txt", f"arr_{job}_3.err"])
    assert cluster.output(f"arr_{job}_3_003.txt") == "3\n"
    job, _ = cluster.finish("-a", "7", "--wrap", "true")
    assert (cluster.work / f"slurm-{job}_7.out").exists()


def test_a_backslash_in_an_output_name_turns_patterns_off(cluster: Cluster) -> None:
    cluster.finish("-o", r"\plain_%j.txt", "--wrap", "true")
    assert (cluster.work / "plain_%j.txt").exists()


def test_standard_error_goes_to_the_output_unless_it_has_a_file_of_its_own(cluster: Cluster) -> None:
    both, _ = cluster.finish("-o", "both.out", "--wrap", "echo out; echo err >&2")
    assert cluster.output("both.out").splitlines() == ["out", "err"]
    cluster.finish("-o", "one.out", "-e", "one.err", "--wrap", "echo out; echo err >&2")
    assert (cluster.output("one.out"), cluster.output("one.err")) == ("out\n", "err\n")
    cluster.finish("-o", "same.out", "-e", "same.out", "--wrap", "echo out; echo err >&2; echo out")
    assert cluster.output("same.out") == "out\nerr\nout\n"


def test_open_mode_decides_whether_output_is_cut_or_continued(cluster: Cluster) -> None:
    for words in ((), ("--open-mode=append",), ("--open-mode=a",)):
        cluster.finish("-o", "mode.out", *words, "--wrap", "echo line")
    assert cluster.output("mode.out") == "line\n" * 3
    cluster.finish("-o", "mode.out", "--open-mode=truncate", "--wrap", "echo line")
    assert cluster.output("mode.out") == "line\n"


def test_standard_input_is_empty_unless_a_file_is_named(cluster: Cluster) -> None:
    job, _ = cluster.finish("-o", "in.out", "--wrap", "wc -c")
    assert cluster.output("in.out").strip() == "0"
    (cluster.work / "data_in.txt").write_text("from a file\n")
    cluster.finish("-o", "in.out", "-i", "data_in.txt", "--wrap", "cat")
    assert cluster.output("in.out") == "from a file\n"


def test_the_submitters_umask_holds_inside_the_job(cluster: Cluster) -> None:
    cluster.script("umask.sh", "umask 027; exec sbatch -W -o umask.out --wrap 'umask; touch umask.made'\n")
    cluster.ok("sh", "umask.sh")
    assert cluster.output("umask.out").strip() == "0027"
    assert stat.S_IMODE(os.stat(cluster.work / "umask.made").st_mode) == 0o640


def test_much_output_arrives_whole(cluster: Cluster) -> None:
    cluster.finish("-o", "much.out", "--wrap", "seq 1 200000")
    lines = cluster.output("much.out").splitlines()
    assert (len(lines), lines[-1]) == (200000, "200000")


# --- how it ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "exit_code", "status", "state"), [
    ("exit 0", "0:0", 0, "COMPLETED"), ("exit 7", "7:0", 7, "FAILED"), ("exit 255", "255:0", 255, "FAILED"), ("false", "1:0", 1, "FAILED"),
    ("kill -9 $$", "0:9", 1, "FAILED"), ("kill -15 $$", "0:15", 1, "FAILED"), ("kill -SEGV $$", "0:11", 1, "FAILED"),
    ("sh -c 'kill -9 $$'", "137:0", 137, "FAILED"), ("exec no-such-command", "127:0", 127, "FAILED"),
])
def test_exit_codes_and_signals_are_reported_as_slurm_does(cluster: Cluster, script: str, exit_code: str, status: int, state: str) -> None:
    # The manual of sbatch: a job that a signal ended makes -W exit with 1.
    job, waited = cluster.finish("-o", "/dev/null", "--wrap", script)
    assert (cluster.field(job, "ExitCode"), cluster.state(job)) == (exit_code, state)
    assert waited == status


def test_waiting_for_an_array_ends_with_its_highest_exit_code(cluster: Cluster) -> None:
    _, status = cluster.finish("-a", "0-3", "-o", "/dev/null", "--wrap", "exit $((SLURM_ARRAY_TASK_ID % 3))")
    assert status == 2


def test_waiting_ends_the_moment_the_job_does(cluster: Cluster) -> None:
    result = cluster.run("sbatch", "-W", "-o", "/dev/null", "--wrap", "exit 7")
    assert result.status == 7
    assert result.out.startswith("Submitted batch job ")


def test_background_processes_that_a_script_leaves_behind_are_ended_with_it(cluster: Cluster) -> None:
    job, status = cluster.finish("-o", "left.out", "--wrap", "sleep 600 & echo $!; setsid sleep 600 & echo $!; (setsid sh -c 'sleep 600 & echo $!; wait' &) ; sleep 0.3")
    assert status == 0
    pids = [int(word) for word in cluster.output("left.out").split()]
    assert len(pids) == 3
    cluster.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), seconds=10, why=f"some of {pids} live on")
    cluster.until(lambda: cluster.state(job) == "COMPLETED", seconds=10)
