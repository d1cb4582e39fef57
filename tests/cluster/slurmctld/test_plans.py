"""What the controller tells of its plan."""

from __future__ import annotations

import base64

from slurm.config.config import parse
from slurm.journal import codec
from slurm.journal.shapes import VERSION
from slurm.slurmctld import setup
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, Play, Stage


def test_the_plan_is_what_squeue_start_shows(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = await s.client(ALICE).submit(cpus_per_task=4, time_limit=600)
        await s.until(lambda: s.state(first) == "RUNNING")
        second = await s.client(ALICE).submit(cpus_per_task=4, time_limit=1200)
        held = await s.client(ALICE).submit(hold=True)
        await s.until(lambda: second in s.ctl.planner.forecasts)
        plan = (await s.client(BOB).ask("ReadPlan"))["schedule"]
        [runs, planned] = plan["bars"]
        rows = (await s.client(BOB).ask("ListJobs", fields=["JobID", "SchedNodes", "StartTime"], filter={"ids": [str(second)]},
                                        time_format="%s"))["rows"]
        assert (runs["job"], runs["nodes"], runs["planned"]) == (str(first), "cn01", False)
        assert (planned["job"], planned["nodes"], planned["planned"]) == (str(second), "cn01", True)
        assert rows == [[str(second), "cn01", str(int(planned["start"]))]] and planned["start"] >= runs["end"]
        assert planned["end"] == planned["start"] + 1200
        assert [(one["job"], one["reason"]) for one in plan["waiting"]] == [(str(held), "JobHeldUser")]

    play(scene)


def test_an_administrator_sees_the_queue_under_another_configuration_and_nothing_is_changed_by_that(play: Play) -> None:
    def as_text(conf: str, s: Stage) -> str:
        body = codec.encode(setup.configured(parse(conf, "/nowhere/slurm.conf"), s.ctl.now(), []))
        return f"{VERSION}:{base64.b64encode(body).decode()}"

    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = await s.client(ALICE).submit(cpus_per_task=4, time_limit=600)
        await s.until(lambda: s.state(first) == "RUNNING")
        second = await s.client(ALICE).submit(cpus_per_task=4, time_limit=1200)
        await s.until(lambda: second in s.ctl.planner.forecasts)
        larger = as_text(CONF.replace("cn[01-02]", "cn[01-03]"), s)
        plan = (await s.client(ROOT).ask("ReadPlan", configured=larger))["schedule"]
        [planned] = [bar for bar in plan["bars"] if bar["planned"]]
        assert (planned["job"], planned["nodes"], planned["start"]) == (str(second), "cn03", plan["at"]) and plan["nodes"] == "cn[01-03]"
        assert "cn03" not in s.ctl.cluster.nodes and second in s.ctl.cluster.pending
        assert (await s.client(ALICE).ask("ReadPlan", configured=larger))["kind"] == "NotPermitted"
        for wrong in ("0:AAAA", f"{VERSION}:AAAA", f"{VERSION}:%"):
            assert (await s.client(ROOT).ask("ReadPlan", configured=wrong))["kind"] == "InvalidRequest"

    play(scene)


def test_jobs_that_are_private_have_no_names_in_the_plan_of_others(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = await s.client(ALICE).submit(name="secret", cpus_per_task=4, time_limit=600)
        await s.until(lambda: s.state(first) == "RUNNING")
        told = await s.client(BOB).ask("ReadPlan")
        assert "secret" not in str(told) and told["schedule"]["bars"][0]["job"] == "another"
        assert "secret" in str(await s.client(ALICE).ask("ReadPlan"))

    play(scene, conf=CONF + "PrivateData=jobs\n")
