"""The site's plug-ins around steps: where they are called, what they change, and that none of them stops anybody."""

import os
import pwd
import signal

import pytest

from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_steps import Srun

PLUGIN = '''
import os

LOG = {log!r}


def note(what, step):
    with open(LOG, "a") as log:
        print(what, os.getuid(), step.job_id, step.step, step.options.get("scratch"), file=log)


def init(step, settings):
    note("init", step)
    return {{"MADE_BY_INIT": settings.arguments[0], "UNWANTED": None}}


def user_init(step, settings):
    note("user_init", step)


def task_init(task, settings):
    os.nice(3)
    return {{"RANK_IS": str(task.rank)}}


def exit(step, settings):
    note(f"exit {{step.status}}", step)
'''
SHOWS = "echo $MADE_BY_INIT $RANK_IS [$UNWANTED] $(nice); exit $SLURM_PROCID"


def site(stage: Stage, line: str, text: str) -> None:
    """A plugstack.conf with one plug-in, beside the stage's slurm.conf."""
    file = stage.root / "spank_scratch.py"
    file.write_text(text)
    file.chmod(0o644)
    (stage.root / "plugstack.conf").write_text(line.format(file=file) + "\n")


def environment(stage: Stage, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "SLURM_CONF": str(stage.conf), "UNWANTED": "x", **more}


def test_a_plugin_sees_a_step_from_its_beginning_to_its_end(run: Run) -> None:
    log = run.stage.root / "log"
    site(run.stage, "required {file} word", PLUGIN.format(log=str(log)))

    async def scene(stage: Stage) -> None:
        nice = os.getpriority(os.PRIO_PROCESS, 0) + 3
        srun = await (await Srun.call(stage, 1, ["bash", "-c", SHOWS], ranks=(0, 1), environment=environment(
            stage, _SLURM_SPANK_OPTION_scratch_scratch="10"))).finish()
        assert srun.out == {0: f"word 0 [] {nice}\n".encode(), 1: f"word 1 [] {nice}\n".encode()}
        await stage.ended(1, 0)
        me = os.getuid()
        assert log.read_text().splitlines() == [f"init {me} 1 0 10", f"user_init {me} 1 0 10", f"exit {1 << 8} {me} 1 0 10"]
        stage.send(stage.batch(2, "#!/bin/bash\necho $MADE_BY_INIT\n"))
        await stage.ended(2)
        assert stage.output(2) == "word\n"
        assert log.read_text().splitlines()[3:] == [f"init {me} 2 batch None", f"user_init {me} 2 batch None", f"exit 0 {me} 2 batch None"]

    run(scene)


@pytest.mark.parametrize(("text", "why"), [
    ("def init(step, settings):\n    raise ValueError('no')\n", "init: ValueError: no"),
    ("import time\ndef user_init(step, settings):\n    time.sleep(600)\n", "user_init has not come to an end within 1 s"),
    ("import os\ndef init(step, settings):\n    os._exit(0)\n", "init: it ended without an answer"),
    ("def init(step, settings):\n    return {'A=B': 'x'}\n", "init must return None or a dict of variables"),
    ("def task_init(task, settings):\n    raise KeyError('x')\n", "task_init: KeyError: 'x'"),
    ("def init(\n", "'(' was never closed"),
])
def test_one_that_fails_or_hangs_keeps_its_step_away_where_it_is_required_and_is_told_where_not(run: Run, text: str, why: str) -> None:
    site(run.stage, "required {file} call_timeout=1", text)

    async def scene(stage: Stage) -> None:
        srun = await (await Srun.call(stage, 1, ["true"], environment=environment(stage))).finish()
        assert why in srun.failed["hints"][0] if srun.failed.get("hints") else why in srun.failed["message"]
        site(stage, "optional {file} call_timeout=1", text)
        stage.process.send_signal(signal.SIGHUP)
        await stage.until(lambda: "was read again" in (stage.root / "slurmd.out").read_text())
        srun = await (await Srun.call(stage, 2, ["echo", "ran"], environment=environment(stage))).finish()
        assert (srun.out, srun.exits) == ({0: b"ran\n"}, {0: 0})
        assert why in srun.notices + srun.err.get(0, b"").decode()

    run(scene)


def test_what_refuses_says_why(run: Run) -> None:
    site(run.stage, "required {file}", "from slurm.plugins import Refused\ndef init(step, settings):\n    raise Refused('buy a licence')\n")

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, "#!/bin/bash\necho ran\n"))
        ended = await stage.ended(1)
        assert "buy a licence" in ended.why and ended.status == 1 << 8

    run(scene)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs steps of others")
def test_user_init_is_the_users(run: Run) -> None:
    nobody = pwd.getpwnam("nobody")
    site(run.stage, "required {file}", (
        "import os\ndef init(step, settings):\n    return {'INIT': f'{os.getuid()}'}\n"
        "def user_init(step, settings):\n    return {'USER_INIT': f'{os.getuid()} {os.getgid()}'}\n"))

    async def scene(stage: Stage) -> None:
        credential = stage.credential(1, 0, 1, uid=nobody.pw_uid, gid=nobody.pw_gid, user="nobody", groups=[nobody.pw_gid])
        srun = await (await Srun.call(stage, 1, ["bash", "-c", "echo $INIT $USER_INIT"], credential=credential, work_dir="/",
            environment=environment(stage))).finish()
        assert srun.out == {0: f"0 {nobody.pw_uid} {nobody.pw_gid}\n".encode()}

    run(scene)
