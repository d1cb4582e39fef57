"""JobSubmitPlugins: what a plug-in of the site makes of a submission holds, what it refuses is refused, and one that fails refuses too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from slurm.config.config import Config, parse
from slurm.core.events import Caller
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.ids import Gid, Uid
from slurm.model.request import JobRequest
from slurm.model.settings import Settings
from slurm.slurmctld.submit_plugins import SubmitPlugins

ROOT = Caller(uid=Uid(0), gid=Gid(0), user="root", group="root")
ALICE = Caller(uid=Uid(1000), gid=Gid(1000), user="alice", group="users")
RULES = '''
import time
from slurm.plugins import Refused

def job_submit(job, settings):
    request = job.request
    match request["name"]:
        case "refused":
            raise Refused(f"not today, {job.user}\\nperhaps tomorrow")
        case "hangs":
            time.sleep(100)
        case "broken":
            return request["no such"]
        case "nonsense":
            return {"no_such_field": 1}
        case "beyond":
            return {"nodes_min": -5}
        case "text":
            return "yes"
    if "#!/bin/false" in job.script:
        raise Refused("a script that does nothing")
    return {"comment": f"{settings.ClusterName}:{','.join(settings.partitions)}", "time_limit": 60} if not request.get("time_limit") else None

def job_modify(change, settings):
    if "Priority" in change.changes:
        raise Refused("priorities stay")
    return {**change.changes, "Comment": change.jobs}
'''


def test_plug_ins_of_ours_give_all_partitions_want_a_time_limit_and_count_an_hours_jobs(tmp_path: Path) -> None:
    async def scene(plugins: SubmitPlugins) -> None:
        with pytest.raises(SlurmError) as missing:
            await plugins.submitted(JobRequest(), "", ALICE, Settings())
        assert missing.value.preface == ("Time limit specification required, but not provided",)
        for _ in range(2):
            assert (await plugins.submitted(JobRequest(time_limit=60), "", ALICE, Settings())).partition == "p"
        assert (await plugins.submitted(JobRequest(time_limit=60, partition="q"), "", ROOT, Settings())).partition == "q"
        with pytest.raises(SlurmError) as often:
            await plugins.submitted(JobRequest(time_limit=60), "", ALICE, Settings())
        assert "alice has submitted 2 jobs within an hour" in often.value.preface[0]

    play(tmp_path, scene, "require_timelimit,job_submit/throttle,all_partitions\nSchedulerParameters=jobs_per_user_per_hour=2")


def conf(folder: Path, names: str) -> Config:
    return parse(f"ClusterName=lab\nSlurmctldHost=h\nPluginDir={folder}\nJobSubmitPlugins={names}\nNodeName=n CPUs=1\nPartitionName=p Nodes=n Default=YES")


def play(folder: Path, scene: Callable[[SubmitPlugins], Coroutine[Any, Any, None]], names: str = "rules") -> None:
    (folder / "job_submit_rules.py").write_text(RULES)
    (folder / "job_submit_second.py").write_text("def job_submit(job, settings):\n    return {'comment': job.request['comment'] + '!'}\n")

    async def main() -> None:
        plugins = SubmitPlugins(conf(folder, names), frozenset({0, folder.stat().st_uid}))
        try:
            await scene(plugins)
        finally:
            await plugins.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_the_plug_ins_return_holds_one_after_another(tmp_path: Path) -> None:
    async def scene(plugins: SubmitPlugins) -> None:
        found = await plugins.submitted(JobRequest(name="a"), "", ALICE, Settings())
        assert (found.name, found.time_limit, found.comment) == ("a", 60, "lab:p!")

    play(tmp_path, scene, "rules,job_submit/second")


@pytest.mark.parametrize(("name", "script", "said"), [
    ("refused", "", ["not today, alice", "perhaps tomorrow"]),
    ("a", "#!/bin/false\n", ["a script that does nothing"]),
])
def test_a_refusal_is_read_by_the_user_before_slurms_sentence(tmp_path: Path, name: str, script: str, said: list[str]) -> None:
    async def scene(plugins: SubmitPlugins) -> None:
        with pytest.raises(SlurmError, match="^Unspecified error$") as refused:
            await plugins.submitted(JobRequest(name=name), script, ALICE, Settings())
        assert list(refused.value.preface) == said

    play(tmp_path, scene)


@pytest.mark.parametrize(("name", "said"), [
    ("broken", "KeyError"), ("nonsense", "no_such_field"), ("beyond", "nodes_min"), ("text", "must return None or a dict"),
])
def test_one_that_fails_or_makes_nonsense_refuses_and_the_next_submission_is_asked_anew(tmp_path: Path, name: str, said: str) -> None:
    async def scene(plugins: SubmitPlugins) -> None:
        with pytest.raises(SlurmError) as refused:
            await plugins.submitted(JobRequest(name=name), "", ALICE, Settings())
        assert said in refused.value.hints[0]
        assert (await plugins.submitted(JobRequest(name="good", time_limit=5), "", ALICE, Settings())).time_limit == 5

    play(tmp_path, scene)


def test_one_that_hangs_refuses_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slurm.slurmctld.submit_plugins.SECONDS", 1.0)

    async def scene(plugins: SubmitPlugins) -> None:
        with pytest.raises(SlurmError) as refused:
            await plugins.submitted(JobRequest(name="hangs"), "", ALICE, Settings())
        assert "has not answered within 1 s" in refused.value.hints[0]

    play(tmp_path, scene)


def test_changes_of_jobs_are_asked_about_too(tmp_path: Path) -> None:
    async def scene(plugins: SubmitPlugins) -> None:
        assert await plugins.modified("7", {"Nice": "5"}, ALICE) == {"Nice": "5", "Comment": "7"}
        with pytest.raises(SlurmError) as refused:
            await plugins.modified("7", {"Priority": "5"}, ALICE)
        assert refused.value.preface == ("priorities stay",)

    play(tmp_path, scene, "rules,second")


@pytest.mark.parametrize(("names", "said"), [
    ("nowhere", "there is no such plug-in"), ("lua", "JobSubmitPlugins=lua is not supported"), ("../../etc/passwd", "is no name of a plug-in"),
])
def test_a_plug_in_that_is_not_there_is_an_error_of_the_configuration(tmp_path: Path, names: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asyncio.run(_made(tmp_path, names))


def test_a_file_that_others_may_write_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "job_submit_rules.py").write_text(RULES)
    (tmp_path / "job_submit_rules.py").chmod(0o666)
    with pytest.raises(ConfigError, match="cannot be trusted: its mode is 0666"):
        asyncio.run(_made(tmp_path, "rules"))


async def _made(folder: Path, names: str) -> None:
    SubmitPlugins(conf(folder, names), frozenset({0, folder.stat().st_uid}))
