"""The small parts of slurmstepd and slurmd that decide: messages, variables, names, limits."""

from __future__ import annotations

import re
import resource
import subprocess
import sys

import pytest

from slurm.config.config import parse
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError
from slurm.slurmd import environment, hardware, settings
from slurm.slurmd.stepd import limits, messages, user
from slurm.slurmd.stepd.folder import StepRecord

BATCH = StepRecord(122, 1, -5, "cn01", 0, 0, "root", [], {}, "/", {})
STEP = BATCH._replace(step=0)
STAMP = r"\[2026-11-2\dT\d\d:\d\d:\d\d\.367\]"
NOW = 1795221884.367


@pytest.mark.parametrize(("why", "words"), [
    ("cancelled", "DUE to SIGNAL Terminated"), ("timeout", "DUE TO TIME LIMIT"), ("preempted", "DUE TO PREEMPTION"),
    ("node_fail", "DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS"), ("task_failure", "DUE TO TASK FAILURE"), ("odd", "DUE TO ODD")])
def test_an_ending_from_outside_is_worded_as_slurm_words_it(why, words):
    line = messages.ended_from_outside(BATCH, why, NOW, NOW)
    assert re.fullmatch(STAMP + rf" error: \*\*\* JOB 122 ON cn01 CANCELLED AT 2026-11-2\dT\d\d:\d\d:44 {words} \*\*\*\n", line)
    assert "*** STEP 122.0 ON cn01 CANCELLED AT " in messages.ended_from_outside(STEP, why, NOW, NOW)


def test_a_job_that_ended_by_itself_gets_no_message():
    assert messages.ended_from_outside(BATCH, "", NOW, NOW) == ""


def test_failures_before_exec_are_worded_as_slurm_words_them():
    missing = FileNotFoundError(2, "x")
    assert messages.no_exec("nosuchcommand", missing, NOW).endswith("error: execve(): nosuchcommand: No such file or directory\n")
    assert messages.no_work_dir("/gone", missing, NOW).endswith(
        "error: couldn't chdir to `/gone': No such file or directory: going to /tmp instead\n")


def test_the_batch_environment_keeps_what_the_controller_gave():
    made = environment.of_batch({"TMPDIR": "/scratch", "X": "1", "SLURMD_NODENAME": "wrong"}, "cn01", CpuSet(0b1011))
    assert made["TMPDIR"] == "/scratch"
    assert made["SLURM_CPUS_ON_NODE"] == "3"
    assert made["SLURMD_NODENAME"] == "cn01"
    assert environment.of_batch({}, "cn01", CpuSet(1))["TMPDIR"] == "/tmp"


@pytest.mark.parametrize(("export", "found"), [("NONE", True), ("A=1,B", True), ("ALL", False), ("ALL,A=1", False), ("", False), ("NIL", False)])
def test_a_job_without_its_submitters_environment_gets_what_a_login_sets(export: str, found: bool) -> None:
    made = user.login_variables(0, export)
    assert (made.get("HOME"), made.get("USER")) == (("/root", "root") if found else (None, None))
    assert user.login_variables(2**31 - 5, export) == {}


def test_a_steps_gpus_replace_those_of_the_job():
    made = environment.of_step({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, "cn02", 1, [2, 3], CpuSet(0b11), [1, 3], 2)
    assert made["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert made["SLURM_STEP_GPUS"] == "1,3"
    assert made["SLURM_GTIDS"] == "2,3"
    assert made["SLURM_NODEID"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in environment.of_step({}, "cn02", 0, [0], CpuSet(1), None, 2)


def test_soft_limits_are_set_and_unknown_ones_are_told():
    code = ("from slurm.slurmd.stepd import limits; import resource as r; print(limits.apply({'nofile': 50, 'core': 0}));"
            "print(r.getrlimit(r.RLIMIT_NOFILE)[0], r.getrlimit(r.RLIMIT_CORE)[0])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n50 0\n"
    assert limits.apply({"nonsense": 1})[0].startswith("nonsense is no resource limit and was not set; valid: cpu")
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 50


CONF = "ClusterName=c\nSlurmctldHost=h\nNodeName=cn[01-02] NodeHostname=big\nNodeName=me\nPartitionName=p Nodes=ALL\n"


def test_a_slurmd_finds_its_node_by_name_or_host_name_and_says_what_it_looked_for():
    conf = parse(CONF)
    assert settings.node_name(conf, "cn02", "x") == "cn02"
    assert settings.node_name(conf, "", "me.example.org") == "me"
    assert settings.node_name(conf, "", "big") == "cn01"
    with pytest.raises(ConfigError) as error:
        settings.node_name(conf, "cn03", "x")
    assert error.value.message.startswith("Unable to determine this slurmd's NodeName")
    assert "did you mean cn0" in error.value.hints[0]
    with pytest.raises(ConfigError) as error:
        settings.node_name(conf, "", "x.y")
    assert "-N NAME" in error.value.hints[0]


def test_this_machine_is_described_as_slurmd_minus_c_does():
    found = hardware.look("/")
    assert found.tmp_disk > 0
    assert found.cpus == found.sockets * found.cores_per_socket * found.threads_per_core
    assert re.fullmatch(r"NodeName=x CPUs=\d+ Boards=1 SocketsPerBoard=\d+ CoresPerSocket=\d+ ThreadsPerCore=\d+ RealMemory=\d+",
                        found.conf_line("x"))


def test_the_zygote_stays_small():
    code = "import sys, slurm.slurmd.zygote; print(sorted({'threading', 'asyncio', 'msgspec', 'logging', 'subprocess', 'random'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", "each of these costs every fork time: threading alone doubles it"


def test_a_step_without_gpus_sees_none_of_the_submitters_unless_the_cluster_gives_none_out():
    own = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL", "SLURM_STEP_GPUS"), "5")
    assert not own.keys() & environment.of_step(own, "cn01", 0, [0], CpuSet(1), None, 2).keys()
    assert own.items() <= environment.of_step(own, "cn01", 0, [0], CpuSet(1), None, 2, gpus_given_out=False).items()
