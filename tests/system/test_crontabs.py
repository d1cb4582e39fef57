"""scrontab with real processes: an entry runs when its minute comes, with the variables of a login, and ends when somebody cancels it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.system.harness import Cluster


@pytest.mark.slow
def test_an_entry_runs_when_its_minute_comes_and_waits_for_the_next(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2", "--memory", "2G")
    cluster.up()
    assert cluster.run("scrontab", "-l").err.startswith("scrontab: fatal: scrontab is disabled on this cluster")
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "ScronParameters=enable\n")
    cluster.ok("scontrol", "reconfigure")
    out = cluster.work / "cron.out"
    text = f"WHAT='date +%s'\n#SCRON -o {out} --open-mode=append -J tick\n* * * * * $WHAT; echo $HOME $SHOULD_NOT_BE_THERE.\n"
    cluster.ok("scrontab", "-", stdin=text, env={"SHOULD_NOT_BE_THERE": "1"})
    assert cluster.ok("scrontab", "-l") == text
    [job] = cluster.ok("squeue", "-h", "-n", "tick", "-o", "%i").split()
    assert cluster.ok("squeue", "-h", "-O", "cronjob").strip() == "Yes"
    assert cluster.show(job)["CrontabSpec"] == '"* * * * *"'
    before = time.time()
    cluster.until(out.exists, seconds=90)
    cluster.until(lambda: cluster.field(job, "Reason") == "BeginTime")
    moment, said = out.read_text().splitlines()
    assert before < int(moment) + 1 and int(moment) % 60 < 20 and said.endswith(" .")
    cluster.ok("scancel", job)
    cluster.until_state(job, "CANCELLED")
    assert cluster.ok("scrontab", "-l").splitlines()[1:] == [f"#DISABLED: {line}" for line in text.splitlines()[1:]]
    cluster.ok("scrontab", "-r")
    assert cluster.run("scrontab", "-l").status == 1
