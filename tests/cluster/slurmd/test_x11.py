"""X11 forwarding on a node: what slurmd refuses, where cookies lie, and what whoever is at the other end cannot do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from slurm.notation import xauthority
from slurm.slurmd.stepd import home_xauthority
from slurm.wire import step_io, x11_setup
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_steps import Srun

COOKIE = "00112233445566778899aabbccddeeff"


def test_a_site_without_it_refuses_it_whatever_srun_wants(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await (await Srun.call(stage, 1, ["true"], x11_cookie=COOKIE)).finish()
        assert srun.failed["message"] == "X11 forwarding not available"  # type: ignore[index]

    run(scene)


def test_the_cookie_is_in_a_file_of_the_owner_and_goes_with_the_step_and_srun_cannot_open_connections_to_the_node(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        show = "echo $DISPLAY $XAUTHORITY $(stat -c %a $XAUTHORITY); tr '\\0' '\\n' </proc/self/environ | grep -c " + COOKIE
        srun = await Srun.call(stage, 1, ["bash", "-c", f"read line; {show}"], x11_cookie=COOKIE, x11_screen=1)
        await srun.until(step_io.STARTED)
        srun.say(step_io.X11, step_io.ALL_TASKS, x11_setup.pack(0, x11_setup.DATA, b"for nobody"))
        srun.say(step_io.STDIN, step_io.ALL_TASKS, b"go\n")
        await srun.finish()
        display, path, mode, held = srun.out[0].decode().split()
        assert re.fullmatch(r"localhost:[2-9][0-9]\.1", display) and (mode, held) == ("600", "0")
        assert path == str(stage.spool / "steps" / "job00001.1.0" / "xauthority")
        await stage.ended(1, 0)
        await stage.until(lambda: not os.path.exists(path))
        opening = await Srun.call(stage, 1, ["sleep", "30"], step=1, x11_cookie=COOKIE)
        await opening.until(step_io.STARTED)
        opening.say(step_io.X11, step_io.ALL_TASKS, x11_setup.pack(0, x11_setup.OPEN))
        assert (await stage.ended(1, 1)).status, "it is no srun, and its step is ended"

    run(scene, conf="PrologFlags=X11\n")


def test_a_cookie_in_the_home_is_beside_others_and_a_link_there_leads_nowhere(run: Run) -> None:
    home = run.stage.root / "home"
    home.mkdir()
    victim = run.stage.root / "victim"
    victim.write_bytes(b"")
    os.symlink(victim, home / ".Xauthority")

    async def scene(stage: Stage) -> None:
        environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(stage.conf), "HOME": str(home), "XAUTHORITY": "/of/the/submitter"}
        srun = await Srun.call(stage, 1, ["bash", "-c", "echo $DISPLAY $XAUTHORITY"], x11_cookie=COOKIE, environment=environment)
        await srun.finish()
        [display] = srun.out[0].decode().split()
        number = int(display[len("localhost:"):].partition(".")[0])
        found = xauthority.parse((home / ".Xauthority").read_bytes())
        assert found == [xauthority.entry(xauthority.LOCAL, os.uname().nodename.encode(), number, bytes.fromhex(COOKIE))]
        assert os.listdir(home) == [".Xauthority"] and not (home / ".Xauthority").is_symlink() and victim.read_bytes() == b""

    run(scene, conf="PrologFlags=X11\nX11Parameters=home_xauthority\n")


def test_who_holds_the_file_is_waited_for_and_a_dead_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_xauthority, "_PAUSE_SECONDS", 0.01)
    path = str(tmp_path / ".Xauthority")
    entry = xauthority.entry(xauthority.LOCAL, b"vm", 20, b"cookie")
    (tmp_path / ".Xauthority-l").touch()
    with pytest.raises(FileExistsError):
        home_xauthority.add(path, entry)
    os.utime(tmp_path / ".Xauthority-l", (0, 0))
    home_xauthority.add(path, entry)
    home_xauthority.add(path, xauthority.entry(xauthority.LOCAL, b"vm", 21, b"other"))
    assert [one.number for one in xauthority.parse(Path(path).read_bytes())] == [b"21", b"20"]
    assert os.listdir(tmp_path) == [".Xauthority"]
