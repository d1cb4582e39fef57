"""Topology and cores that nodes set aside, on real daemons: seen by scontrol and by jobs, and in which nodes and CPUs jobs get."""

from __future__ import annotations

import pytest

from tests.system.machines import ALICE, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = ("TopologyPlugin=topology/tree\nAllowSpecResourcesUsage=yes\nSchedulerParameters=bf_interval=1,max_switch_wait=2000\nNodeName=DEFAULT CoreSpecCount=1\n")
TREE = "SwitchName=s0 Nodes=nd1\nSwitchName=s1 Nodes=nd[2-3]\nSwitchName=top Switches=s[0-1]\n"


def test_jobs_get_nodes_under_one_switch_and_cpus_that_are_not_the_systems() -> None:
    with Machines(nodes=3, cpus=4, conf=CONF) as machines:
        for machine in ("head", "nd1", "nd2", "nd3"):
            (machines[machine].run_folder / "slurm" / "topology.conf").write_text(TREE)
        machines.up()
        head = machines["head"]
        assert head.ok("scontrol", "show", "topology", "nd3").splitlines() == [
            "SwitchName=s1 Level=0 LinkSpeed=1 Nodes=nd[2-3]", "SwitchName=top Level=1 LinkSpeed=1 Nodes=nd[1-3] Switches=s[0-1]"]
        unknown = head.run("scontrol", "show", "topology", "nope")
        assert unknown.status == 1 and "Topology information contains no switch, block or node named nope" in unknown.err
        node = head.ok("scontrol", "show", "node", "nd1")
        assert "CPUEfctv=3 CPUTot=4" in node and "CoreSpecCount=1 CPUSpecList=3 " in node

        def submitted(*words: str) -> str:
            return head.ok("sbatch", "--parsable", "-o", str(machines.work / "%j.out"), "-t", "10", *words, user=ALICE).strip()

        def shown(job: str) -> str:
            return head.ok("scontrol", "show", "-d", "job", job)

        said = "env | grep ^SLURM_TOPOLOGY | sort; srun -l sh -c 'echo $SLURM_TOPOLOGY_ADDR $SLURM_TOPOLOGY_ADDR_PATTERN' | sort"
        pair = submitted("-N2", "-n6", "--wrap", said)
        machines.until(lambda: "JobState=COMPLETED" in shown(pair), why="the pair does not end")
        assert "NodeList=nd[2-3]" in shown(pair) and "Nodes=nd[2-3] CPU_IDs=0-2" in shown(pair)
        lines = (machines.work / f"{pair}.out").read_text().splitlines()
        assert lines[:2] == ["SLURM_TOPOLOGY_ADDR=top.s1.nd2", "SLURM_TOPOLOGY_ADDR_PATTERN=switch.switch.node"]
        assert lines[2:] == [f"{rank}: top.s1.nd{2 + rank // 3} switch.switch.node" for rank in range(6)]
        holder = submitted("-N1", "-w", "nd2", "--exclusive", "-S0", "--wrap", "sleep 600")
        machines.until(lambda: "JobState=RUNNING" in shown(holder), why="the holder does not run")
        assert "CPU_IDs=0-3" in shown(holder) and "CoreSpec=0" in shown(holder)
        waits = submitted("-N2", "--switches=1", "--wrap", "true")
        assert "Switches=1@00:33:20" in shown(waits) and "JobState=PENDING" in shown(waits)
        head.ok("scontrol", "update", f"jobid={waits}", "switches=2", user=ALICE)
        machines.until(lambda: "JobState=COMPLETED" in shown(waits), why="it waits for one switch still")
        assert "NodeList=nd[1,3]" in shown(waits)
