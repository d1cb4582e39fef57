"""Why a job waits, as the controller tells whoever asks."""

from __future__ import annotations

from tests.cluster.slurmctld.conftest import ALICE, BOB, Play, Stage


def test_anybody_may_ask_why_a_job_waits_and_hears_what_squeue_shows_with_the_evidence(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = await s.client(ALICE).submit(cpus_per_task=4, time_limit=600)
        await s.until(lambda: s.state(first) == "RUNNING")
        second, third = [await s.client(ALICE).submit(cpus_per_task=4) for _ in range(2)]
        await s.until(lambda: second in s.ctl.planner.forecasts and third in s.ctl.planner.verdicts)
        told = [(await s.client(BOB).ask("ExplainJob", job_id=str(job)))["explanation"] for job in (first, second, third)]
        assert [one["reason"] for one in told] == ["", "Resources", "Priority"]
        assert [one["job"] for one in told[1]["holders"]] == [str(first)] and told[1]["start"] > told[1]["at"]
        assert told[2]["before"] == 1 and told[2]["first"]["job"] == str(second)

    play(scene)


def test_an_array_is_explained_by_what_waits_of_it_and_unknown_jobs_are_refused(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        array = await s.client().submit(array="0-3%1", cpus_per_task=1)
        await s.until(lambda: s.ctl.planner.verdicts.get(array) is not None)
        whole, waiting, runs = [(await s.client().ask("ExplainJob", job_id=f"{array}{task}"))["explanation"] for task in ("", "_3", "_0")]
        assert whole["reason"] == waiting["reason"] == "JobArrayTaskLimit" and runs["state"] == "RUNNING"
        for wrong in ("999", f"{array}_9"):
            assert (await s.client().ask("ExplainJob", job_id=wrong))["kind"] == "NotFound"

    play(scene)


def test_who_may_change_a_job_hears_what_would_start_it_sooner_and_others_do_not(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = await s.client(ALICE).submit(cpus_per_task=2, time_limit=600)
        await s.until(lambda: s.state(first) == "RUNNING")
        second = await s.client(ALICE).submit(cpus_per_task=4, time_limit=600)
        await s.until(lambda: second in s.ctl.planner.forecasts)
        mine, others = [(await s.client(who).ask("ExplainJob", job_id=str(second)))["explanation"] for who in (ALICE, BOB)]
        assert mine["suggestions"][0]["command"] == f"scontrol update JobId={second} CPUsPerTask=2" and not others["suggestions"]
        assert mine["suggestions"][0]["start"] == mine["at"] and mine["suggestions"][0]["nodes"] == "cn01"

    play(scene)
