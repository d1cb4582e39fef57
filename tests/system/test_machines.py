"""The machines of namespaces that other tests stand on: jobs run over the network between them, and nothing of them is left."""

from __future__ import annotations

import psutil
import pytest

from tests.system.machines import ALICE, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def test_jobs_of_users_run_on_machines_that_can_be_cut_off_and_rebooted() -> None:
    before = {process.pid for process in psutil.process_iter()}
    with Machines(conf="SlurmdTimeout=5\n") as machines:
        machines.up()
        head, node = machines["head"], machines["nd1"]
        job = head.ok("sbatch", "--parsable", "-W", "-N2", "--wrap", "srun -l hostname; id -u", user=ALICE).strip()
        out = (machines.work / f"slurm-{job}.out").read_text()
        assert sorted(out.split()) == ["0:", "1:", str(ALICE), "nd1", "nd2"], out
        boot = (node.folder / "boot_id").read_text()
        assert node.ok("cat", "/proc/sys/kernel/random/boot_id") == boot
        node.cut()
        machines.until(lambda: machines.states().get("nd1", "").startswith("down"), why="a node that is cut off is not down")
        node.mend()
        machines.until_idle()
        node.reboot()
        assert node.ok("cat", "/proc/sys/kernel/random/boot_id") != boot
        node.start("slurmd")
        machines.until_idle()
        assert head.ok("srun", "-w", "nd1", "hostname") == "nd1\n"
    assert not machines.root.exists()
    left = [process for process in psutil.process_iter() if process.pid not in before and str(machines.root) in " ".join(_words(process))]
    assert not left


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
