"""Mail and job completion of a real cluster: what arrives says what happened, once, whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.system.harness import Cluster
from tests.system.test_records import restart

MAIL = """#!/bin/sh
{{ printf 'FROM-UID %s\\n' "$(id -u)"; printf 'ARG %s\\n' "$@"; env | grep ^SLURM | sort; cat; printf 'END-OF-MAIL\\n'; }} > {folder}/mail.$$.part
mv {folder}/mail.$$.part {folder}/mail.$$
"""


def configure(cluster: Cluster, *lines: str) -> None:
    """Put lines into slurm.conf and have it read again."""
    path = cluster.folder / "slurm.conf"
    text = path.read_text()
    path.write_text("\n".join(lines) + "\n" + text)
    cluster.ok("scontrol", "reconfigure")


def mails(cluster: Cluster) -> list[str]:
    """All that came, in no order."""
    return [path.read_text() for path in sorted(cluster.root.glob("mail.*")) if not path.name.endswith(".part")]


def mailing(cluster: Cluster, *more: str) -> None:
    """Have mail handed to a program that keeps it."""
    program = cluster.root / "mailer"
    program.write_text(MAIL.format(folder=cluster.root))
    program.chmod(0o755)
    configure(cluster, f"MailProg={program}", *more)


def subject(mail: str) -> str:
    """Its subject."""
    return mail.split("ARG ")[2].strip()


def test_mail_says_what_a_reader_asks_next_and_job_completion_gets_its_line(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G")
    cluster.up()
    log = cluster.root / "comp.txt"
    mailing(cluster, "MailDomain=example.org", "JobCompType=jobcomp/filetxt", f"JobCompLoc={log}")
    job, _ = cluster.finish("--mail-type=BEGIN,FAIL", "-J", "train", "-e", "err-%j.txt", "--wrap", "echo out of cheese >&2; exit 3")
    cluster.until(lambda: len(mails(cluster)) == 2 and log.exists() and log.read_text().endswith("\n"), why="mail or log did not come")
    began, failed = sorted(mails(cluster), key=lambda mail: "Began" not in subject(mail))
    assert subject(began).startswith(f"Slurm Job_id={job} Name=train Began, Queued time 00:00:0")
    assert subject(failed).startswith(f"Slurm Job_id={job} Name=train Failed, Run time 00:00:0")
    assert subject(failed).endswith(", FAILED, ExitCode 3")
    assert f"FROM-UID {os.getuid()}\n" in failed
    assert "@example.org\n" in failed
    assert f"SLURM_JOB_ID={job}\n" in failed
    assert "SLURM_JOB_MAIL_TYPE=Failed\n" in failed
    assert "FAILED: exited with exit code 3" in failed
    assert "  out of cheese\n" in failed
    assert "Memory Utilized:" in failed
    assert [word for word in log.read_text().split() if word.startswith(("JobId=", "JobState=", "ExitCode="))] == [
        f"JobId={job}", "JobState=FAILED", "ExitCode=3:0"]


def test_who_asks_for_mail_where_there_is_none_is_told_so(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G")
    cluster.up()
    configure(cluster, "MailProg=/no/such/program")
    result = cluster.run("sbatch", "--mail-type=END", "--wrap", "true")
    assert result.status == 0
    assert "--mail-type: no mail is sent: MailProg /no/such/program is no program on the controller's machine" in result.err
    assert cluster.run("sbatch", "--mail-type=NONE", "--wrap", "true").err == ""


def test_a_part_of_the_time_limit_is_told_once(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G")
    cluster.up()
    mailing(cluster)
    job = cluster.sbatch("--mail-type=TIME_LIMIT_50,TIME_LIMIT_90", "-t", "1", "-J", "long", "--wrap", "sleep 300")
    cluster.until(lambda: len(mails(cluster)) == 1, seconds=60, why="no mail of half the time")
    assert subject(mails(cluster)[0]).startswith(f"Slurm Job_id={job} Name=long Reached 50% of time limit, Run time 00:00:3")
    kill_controller(cluster)
    restart(cluster, "slurmctld")
    cluster.until(lambda: len(mails(cluster)) == 2, seconds=60, why="no mail of most of the time")
    assert sum("Reached 90% of time limit" in subject(mail) for mail in mails(cluster)) == 1
    cluster.ok("scancel", job)


def kill_controller(cluster: Cluster) -> None:
    """kill -9."""
    pid = int((cluster.folder / "run" / "slurmctld.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    cluster.until(lambda: not Path(f"/proc/{pid}").exists(), why="slurmctld does not die")


def test_a_mail_comes_once_though_slurmctld_is_killed_while_it_is_sent(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G")
    cluster.up()
    program = cluster.root / "slow"
    log = cluster.root / "sent"
    program.write_text(f"#!/bin/sh\necho begin $2 >> {log}; until [ -e {cluster.root}/go ]; do sleep 0.1; done; echo end $2 >> {log}\n")
    program.chmod(0o755)
    configure(cluster, f"MailProg={program}")
    for name in ("one", "two", "three"):
        cluster.finish("--mail-type=END", "-J", name, "--wrap", "true")
    cluster.until(lambda: log.exists() and "begin" in log.read_text(), why="no mail was begun")
    kill_controller(cluster)
    (cluster.root / "go").touch()
    restart(cluster, "slurmctld")
    cluster.until(lambda: log.read_text().count("end") == 3, why="the mails did not come")
    time.sleep(1.0)  # a fourth would come now
    lines = log.read_text().splitlines()
    assert len(lines) == 6
    assert [sum(f"Name={name} Ended" in line for line in lines) for name in ("one", "two", "three")] == [2, 2, 2]
