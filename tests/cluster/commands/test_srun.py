"""srun as a whole process, against a controller and nodes that the tests play; what it prints is what a real Slurm printed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from slurm.wire import step_io
from tests.cluster.commands.fake_cluster import DEADLINE, FakeCluster, NodeSide, Script, Talk, completed, fake_cluster

IN_JOB = {"SLURM_JOB_ID": "65", "SLURM_JOB_NODELIST": "cn01", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_CPUS_PER_NODE": "4"}
BUSY = {"type": "Failure", "kind": "NotNow", "name": "ESLURM_NODES_BUSY", "message": "Requested nodes are busy"}


def ends_with(status: int) -> Script:
    """A node whose tasks all end with this wait status."""
    def script(node: NodeSide) -> None:
        node.started()
        node.end(status)

    return script


# --- an allocation of its own ---------------------------------------------------------------------------------------------


def test_a_program_runs_in_a_job_that_is_given_back(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("hostname") == (0, "login1\n", "")
        assert [request["type"] for request in cluster.requests] == ["AllocateJob", "CreateStep", "LaunchStep", "Relinquish"]
        assert cluster.asked("Relinquish")[0] == {"type": "Relinquish", "job_id": 65, "status": 0}


def test_verbose_tells_what_happens(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("-v", "-n1", "true").err.splitlines() == [
            "srun: defined options", "srun: -------------------- --------------------", "srun: ntasks              : 1",
            "srun: verbose             : 1", "srun: -------------------- --------------------", "srun: end of defined options",
            "srun: JobId=65 returned by the controller", "srun: Nodes cn01 are ready for job",
            "srun: jobid 65: nodes(1):`cn01', cpu counts: 1(x1)", "srun: CpuBindType=(null type)",
            "srun: launching StepId=65.0 on host cn01, 1 tasks: 0", "srun: Node cn01, 1 tasks started",
            "srun: Received task exit notification for 1 task of StepId=65.0 (status=0x0000).", "srun: cn01: task 0: Completed"]


def test_waiting_for_resources_is_said_when_it_takes_time(tmp_path: Path) -> None:
    def later(talk: Talk, request: dict[str, object]) -> None:
        talk.say({"type": "Pending", "job_id": 65})
        time.sleep(0.4)
        talk.say(cluster.granted(waited=True))

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = later
        assert cluster.run("hostname") == (
            0, "login1\n", "srun: job 65 queued and waiting for resources\nsrun: job 65 has been allocated resources\n")


def test_quiet_leaves_only_errors(tmp_path: Path) -> None:
    def later(talk: Talk, request: dict[str, object]) -> None:
        talk.say({"type": "Pending", "job_id": 65})
        time.sleep(0.4)
        talk.say(cluster.granted(waited=True))

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = later
        assert cluster.run("--quiet", "hostname") == (0, "login1\n", "")


def test_only_the_expected_start_is_asked_for(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["TestJob"] = lambda talk, request: talk.say(
            {"type": "WillRun", "job_id": 61, "start": 1795222023.0, "processors": 1, "nodes": "cn01", "partition": "debug"})
        ran = cluster.run("--test-only", "hostname")
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.startswith("srun: Job 61 to start at 2026-") and ran.err.endswith(" using 1 processors on nodes cn01 in partition debug\n")
        assert not cluster.asked("AllocateJob")


def test_limits_go_along_as_far_as_asked(tmp_path: Path) -> None:
    sent: list[dict[str, int]] = []

    def looking(node: NodeSide) -> None:
        sent.append(node.launch["rlimits"])
        completed(node)

    with fake_cluster(tmp_path, cn01=looking) as cluster:
        for limits in ("NONE", "NOFILE", "ALL"):
            assert cluster.run(f"--propagate={limits}", "hostname").code == 0
    assert [len(limits) for limits in sent[:2]] == [0, 1] and len(sent[2]) > 5


def test_a_moment_in_the_queue_is_not_worth_a_line(tmp_path: Path) -> None:
    def soon(talk: Talk, request: dict[str, object]) -> None:
        talk.say({"type": "Pending", "job_id": 65})
        talk.say(cluster.granted(waited=True))

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = soon
        assert cluster.run("hostname").err == ""


def test_patience_ends_after_the_seconds_of_immediate(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = lambda talk, request: talk.say(
            {"type": "Pending", "job_id": 65, "notes": ["Requested partition configuration not available now"]})
        ran = cluster.run("-N5", "--immediate=2", "hostname")
        assert (ran.code, ran.err.splitlines()) == (1, [
            "srun: Requested partition configuration not available now", "srun: job 65 queued and waiting for resources",
            "srun: error: Unable to allocate resources: Requested nodes are busy"])
        assert len(cluster.asked("Relinquish")) == 1


def test_a_refused_job_is_told_with_its_hints(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = lambda talk, request: talk.say({
            "type": "Failure", "kind": "InvalidRequest", "name": "ESLURM_INVALID_PARTITION_NAME",
            "message": "Invalid partition name specified", "hints": ["partitions: debug"], "preface": ["invalid partition specified: x"]})
        assert cluster.run("-p", "x", "true") == (1, "", (
            "srun: error: invalid partition specified: x\n"
            "srun: error: Unable to allocate resources: Invalid partition name specified\nsrun: hint: partitions: debug\n"))


def test_a_job_that_is_cancelled_while_it_waits_is_told(tmp_path: Path) -> None:
    def cancelled(talk: Talk, request: dict[str, object]) -> None:
        talk.say({"type": "Pending", "job_id": 65})
        talk.say({"type": "JobEnded", "job_id": 65, "state": "CANCELLED"})

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = cancelled
        assert cluster.run("true") == (1, "", "srun: Job allocation 65 has been revoked\n")


def test_a_restart_of_the_controller_passes_unnoticed(tmp_path: Path) -> None:
    connections: list[Talk] = []

    def hold(talk: Talk, request: dict[str, object]) -> None:
        connections.append(talk)
        talk.say(cluster.granted())

    def slow(node: NodeSide) -> None:
        node.started()
        connections[0].hang_up()
        deadline = time.monotonic() + DEADLINE
        while not cluster.asked("AttachAllocation") and time.monotonic() < deadline:
            time.sleep(0.02)
        node.end()

    with fake_cluster(tmp_path, cn01=slow) as cluster:
        cluster.answers["AllocateJob"] = cluster.answers["AttachAllocation"] = hold
        assert cluster.run("true") == (0, "", "")
        assert cluster.asked("AttachAllocation") == [{"type": "AttachAllocation", "job_id": 65}]
        assert len(cluster.asked("Relinquish")) == 1


def test_without_a_command_nothing_is_asked_for(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("-n2") == (1, "", "srun: fatal: No command given to execute.\n")
        assert cluster.requests == []


def test_an_unknown_option_is_refused_as_slurm_refuses_it(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        ran = cluster.run("--uid=alice", "id")
        assert ran.code == 255
        assert ran.err.splitlines()[:2] == ["srun: unrecognized option '--uid=alice'", 'Try "srun --help" for more information']


# --- a step of a job ------------------------------------------------------------------------------------------------------


def test_inside_a_job_only_a_step_is_made_and_its_end_is_told(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("hostname", environ=IN_JOB) == (0, "login1\n", "")
        assert [request["type"] for request in cluster.requests] == ["CreateStep", "LaunchStep", "FinishStep"]


def test_busy_resources_are_waited_for(tmp_path: Path) -> None:
    def create(talk: Talk, request: dict[str, object]) -> None:
        talk.say(BUSY if len(cluster.asked("CreateStep")) < 4 else cluster.step_granted())

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["CreateStep"] = create
        assert cluster.run("true", environ=IN_JOB).err == (
            "srun: Job 65 step creation temporarily disabled, retrying (Requested nodes are busy)\nsrun: Step created for StepId=65.0\n")


def test_a_grant_that_got_lost_is_asked_for_by_the_same_key(tmp_path: Path) -> None:
    def create(talk: Talk, request: dict[str, object]) -> None:
        if len(cluster.asked("CreateStep")) == 1:
            talk.hang_up()
        else:
            talk.say(cluster.step_granted())

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["CreateStep"] = create
        assert [cluster.run("hostname", environ=IN_JOB) for _ in range(2)] == [(0, "login1\n", "")] * 2
        first, again, other = (asked["request"]["key"] for asked in cluster.asked("CreateStep"))
        assert first and first == again != other


def test_busy_resources_are_not_waited_for_with_immediate(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["CreateStep"] = lambda talk, request: talk.say(BUSY)
        assert cluster.run("-I", "true", environ=IN_JOB) == (1, "", "srun: error: Unable to create step for job 65: Requested nodes are busy\n")


def test_a_job_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["CreateStep"] = lambda talk, request: talk.say(
            {"type": "Failure", "kind": "NotFound", "name": "ESLURM_INVALID_JOB_ID", "message": "Invalid job id specified"})
        assert cluster.run("--jobid=999999", "hostname") == (1, "", (
            "srun: error: Unable to confirm allocation for job 999999: Invalid job id specified\n"
            "srun: Check SLURM_JOB_ID environment variable. Expired or invalid job 999999\n"))


# --- streams --------------------------------------------------------------------------------------------------------------


def echoing(node: NodeSide) -> None:
    """A node whose tasks are all `cat`."""
    node.started()
    data = node.input()
    for rank in node.ranks:
        node.out(rank, data)
        node.out(rank, b"")
    node.end()


def test_output_is_labelled_and_errors_go_their_own_way(tmp_path: Path) -> None:
    def script(node: NodeSide) -> None:
        node.started()
        for rank in node.ranks:
            node.out(rank, b"out\n")
            node.err(rank, b"err\n")
        node.end()

    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=script) as cluster:
        assert cluster.run("-n2", "--label", "x") == (0, "0: out\n1: out\n", "0: err\n1: err\n")


def test_input_goes_to_every_task(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=echoing) as cluster:
        assert cluster.run("-n2", "cat", input=b"hi\n") == (0, "hi\nhi\n", "")


def test_much_input_and_as_much_output_do_not_block_each_other(tmp_path: Path) -> None:
    def cat(node: NodeSide) -> None:
        node.started()
        while (heard := node.heard()) is not None and (heard[0] != step_io.STDIN or heard[2]):
            node.out(0, heard[2])
        node.end()

    data = b"0123456789abcde\n" * 500_000
    with fake_cluster(tmp_path, cn01=cat) as cluster:
        assert cluster.run("cat", input=data).out.encode() == data


def test_one_task_may_have_the_input_alone(tmp_path: Path) -> None:
    def script(node: NodeSide) -> None:
        node.started()
        if 2 in node.ranks:
            node.out(2, node.input(2))
        node.end()

    with fake_cluster(tmp_path, {"cn01": [0, 1], "cn02": [2, 3]}, cn01=script, cn02=script) as cluster:
        assert cluster.run("-N2", "-n4", "-i", "2", "-l", "cat", input=b"x\n").out == "2: x\n"


def test_files_of_the_whole_step_are_srun_s_and_others_the_nodes(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("-o", "out_%j_%s", "hostname").out == ""
        assert (tmp_path / "out_65_0").read_text() == "login1\n"
        cluster.run("-o", "out_%t", "-e", "none", "-i", "none", "hostname")
        launch = cluster.asked("LaunchStep")[1]
        assert (launch["stdout"], launch["stderr"], launch["stdin"]) == ("out_%t", "none", "none")


def test_a_file_that_cannot_be_opened_ends_the_step_before_it_starts(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        ran = cluster.run("-o", "/nosuch/out", "hostname", environ=IN_JOB)
        assert (ran.code, ran.err) == (1, "srun: error: Could not open stdout file /nosuch/out: No such file or directory\n")
        assert [request["type"] for request in cluster.requests] == ["CreateStep", "FinishStep"]


def test_a_reader_that_goes_away_ends_the_tasks_without_a_word(tmp_path: Path) -> None:
    def endless(node: NodeSide) -> None:
        node.started()
        node.out(0, b"y\n")
        order = node.order()
        node.end(int(order["signal"]))

    with fake_cluster(tmp_path, cn01=endless) as cluster:
        process = cluster.start("yes")
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(DEADLINE) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


def test_without_a_terminal_there_is_no_pty(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert cluster.run("--pty", "hostname") == (0, "login1\n", (
            "srun: error: ioctl(TIOCGWINSZ): Inappropriate ioctl for device\n"
            "srun: error: Not using a pseudo-terminal, disregarding --pty option\n"))


# --- what is launched -----------------------------------------------------------------------------------------------------


def test_every_node_learns_its_ranks_and_the_tasks_environment(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 2], "cn02": [1]}) as cluster:
        cluster.run("-N2", "-n3", "-D", "/tmp", "prog", "a b", environ={"MINE": "1"})
        first, second = sorted(cluster.asked("LaunchStep"), key=lambda launch: launch["node_rank"])
        assert (first["ranks"], second["ranks"], second["node_rank"], second["ntasks"]) == ([0, 2], [1], 1, 3)
        assert (first["argv"], first["work_dir"], first["credential"]) == (["prog", "a b"], "/tmp", "signed")
        assert (first["environment"]["MINE"], first["environment"]["SLURM_STEP_ID"]) == ("1", "0")


def test_programs_of_a_file_are_dealt_out_to_the_ranks(tmp_path: Path) -> None:
    (tmp_path / "mp.conf").write_text("0 echo first\n* echo %t\n")
    with fake_cluster(tmp_path, {"cn01": [0, 2], "cn02": [1]}) as cluster:
        assert cluster.run("-n3", "--multi-prog", "mp.conf").code == 0
        programs = {launch["node_rank"]: launch["multi_prog"] for launch in cluster.asked("LaunchStep")}
        assert programs == {0: [["echo", "first"], ["echo", "2"]], 1: [["echo", "1"]]}


def test_a_missing_program_file_is_told_as_slurm_tells_it(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        ran = cluster.run("--multi-prog", "mp.conf")
        assert (ran.code, ran.err.splitlines()[0]) == (1, "srun: error: Could not open multi_prog config file mp.conf")
        assert cluster.requests == []


def test_a_node_that_refuses_ends_the_whole_step(tmp_path: Path) -> None:
    def waits(node: NodeSide) -> None:
        node.started()
        assert node.order()["end"] == "cancelled"
        node.end(signal.SIGTERM)

    with fake_cluster(tmp_path, {"cn01": [0], "cn02": [1]}, cn01=waits, cn02=lambda node: node.failed("no room")) as cluster:
        ran = cluster.run("-N2", "true")
        assert ran.code == 143
        assert "srun: error: Task launch for StepId=65.0 failed on node cn02: no room" in ran.err.splitlines()
        assert "srun: error: cn01: task 0: Terminated" in ran.err.splitlines()


def test_a_node_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        (tmp_path / "cn01.sock").unlink()
        ran = cluster.run("true")
        assert ran.code == 1
        assert ran.err.startswith("srun: error: Task launch for StepId=65.0 failed on node cn01: ")
        assert cluster.asked("Relinquish")[0]["status"] == 256


# --- how it ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code", "words"), [
    (3 << 8, 3, "Exited with exit code 3"), (11, 139, "Segmentation fault"), (15, 143, "Terminated"), (9, 137, "Killed")])
def test_tasks_that_fail_alike_share_a_line_and_set_the_exit_code(tmp_path: Path, status: int, code: int, words: str) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=ends_with(status)) as cluster:
        assert cluster.run("-n2", "x") == (code, "", f"srun: error: cn01: tasks 0-1: {words}\n")
        assert cluster.asked("Relinquish")[0]["status"] == status


def test_a_failed_task_ends_the_step_when_that_is_wanted(tmp_path: Path) -> None:
    def script(node: NodeSide) -> None:
        node.started()
        node.exited(1, 5 << 8)
        assert node.order() == {"signal": 0, "end": "task_failure"}
        node.notice("[2026-11-21T00:44:47.679] error: *** STEP 65.0 ON cn01 CANCELLED AT 2026-11-21T00:44:47 DUE TO TASK FAILURE ***\n")
        node.aborted("task_failure")
        for rank in (0, 2):
            node.exited(rank, signal.SIGTERM)
        node.done()

    with fake_cluster(tmp_path, {"cn01": [0, 1, 2]}, cn01=script) as cluster:
        ran = cluster.run("-n3", "-K", "x")
        assert (ran.code, ran.err.splitlines()) == (143, [
            "srun: error: cn01: task 1: Exited with exit code 5", "srun: Terminating StepId=65.0",
            "[2026-11-21T00:44:47.679] error: *** STEP 65.0 ON cn01 CANCELLED AT 2026-11-21T00:44:47 DUE TO TASK FAILURE ***",
            "srun: error: cn01: tasks 0,2: Terminated", "srun: Force Terminated StepId=65.0"])


def test_others_are_waited_for_only_so_long_after_the_first(tmp_path: Path) -> None:
    def script(node: NodeSide) -> None:
        node.started()
        node.exited(0)
        assert node.order() == {"signal": signal.SIGKILL}
        node.exited(1, signal.SIGKILL)
        node.done()

    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=script) as cluster:
        assert cluster.run("-n2", "-W1", "x").err.splitlines() == [
            "srun: First task exited 1s ago", "srun: StepId=65.0 task 1: running", "srun: StepId=65.0 task 0: exited",
            "srun: Terminating StepId=65.0", ABORTED, "srun: error: cn01: task 1: Killed"]


def test_a_time_limit_is_told_in_the_order_of_slurm(tmp_path: Path) -> None:
    def script(node: NodeSide) -> None:
        node.started()
        node.notice("[…] error: *** STEP 65.0 ON cn01 CANCELLED AT … DUE TO TIME LIMIT ***\n")
        node.aborted("timeout")
        node.end(signal.SIGTERM)

    with fake_cluster(tmp_path, cn01=script) as cluster:
        ran = cluster.run("-t1", "sleep", "100")
        assert (ran.code, ran.err.splitlines()) == (143, [
            "[…] error: *** STEP 65.0 ON cn01 CANCELLED AT … DUE TO TIME LIMIT ***",
            "srun: Job step aborted: Waiting up to 7 seconds for job step to finish.", "srun: error: cn01: task 0: Terminated"])


def test_a_supervisor_that_vanishes_fails_the_step(tmp_path: Path) -> None:
    def vanishes(node: NodeSide) -> None:
        node.started()
        node.vanish()

    with fake_cluster(tmp_path, cn01=vanishes) as cluster:
        assert cluster.run("true") == (
            137, "", "srun: error: cn01: lost contact with slurmstepd of StepId=65.0\nsrun: error: cn01: task 0: Killed\n")


# --- signals --------------------------------------------------------------------------------------------------------------


class Signalled:
    """A step that waits for orders, and the srun that it belongs to."""

    def __init__(self, cluster: FakeCluster, *words: str) -> None:
        self.process = cluster.start("-n2", *words, "sleep", "30")
        deadline = time.monotonic() + DEADLINE
        while not cluster.asked("LaunchStep") and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)  # the frame that says that the tasks run has no answer to wait for

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(0.1)

    def ended(self) -> tuple[int, list[str]]:
        _, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, err.decode().splitlines()


def obedient(node: NodeSide) -> None:
    """Tasks that end with the first signal or order to end."""
    node.started()
    order = node.order()
    node.end(int(order["signal"]) or signal.SIGTERM)


ABORTED = "srun: Job step aborted: Waiting up to 7 seconds for job step to finish."


def test_ctrl_c_twice_ends_the_step(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=obedient) as cluster:
        srun = Signalled(cluster)
        srun.send(signal.SIGINT, signal.SIGINT)
        assert srun.ended() == (130, [
            "srun: interrupt (one more within 1 sec to abort)", "srun: StepId=65.0 tasks 0-1: running",
            "srun: sending Ctrl-C to StepId=65.0", "srun: forcing job termination", ABORTED])


def test_a_third_ctrl_c_leaves_at_once(tmp_path: Path) -> None:
    def deaf(node: NodeSide) -> None:
        node.started()

    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=deaf) as cluster:
        srun = Signalled(cluster)
        srun.send(signal.SIGINT, signal.SIGINT, signal.SIGINT)
        code, lines = srun.ended()
        assert (code, lines[-1]) == (1, ABORTED)


def test_the_first_ctrl_c_goes_to_the_tasks_when_no_status_is_wanted(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=obedient) as cluster:
        srun = Signalled(cluster, "-X")
        srun.send(signal.SIGINT)
        assert srun.ended() == (130, ["srun: sending Ctrl-C to StepId=65.0", "srun: error: cn01: tasks 0-1: Interrupt"])


def test_one_ctrl_c_ends_the_step_when_that_was_asked_for(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=obedient) as cluster:
        srun = Signalled(cluster, "--quit-on-interrupt")
        srun.send(signal.SIGINT)
        code, lines = srun.ended()
        assert (code, lines[-2:]) == (130, ["srun: forcing job termination", ABORTED])


@pytest.mark.parametrize(("number", "first"), [(signal.SIGTERM, []), (signal.SIGHUP, []), (signal.SIGQUIT, ["srun: Quit"])])
def test_sigterm_and_its_like_end_the_step(tmp_path: Path, number: int, first: list[str]) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=obedient) as cluster:
        srun = Signalled(cluster)
        srun.send(number)
        assert srun.ended() == (137, [*first, "srun: forcing job termination", ABORTED, "srun: error: cn01: tasks 0-1: Killed"])


def test_a_ctrl_c_that_tasks_do_not_mind_is_followed_by_sigkill(tmp_path: Path) -> None:
    def deaf(node: NodeSide) -> None:
        node.started()
        assert node.order()["signal"] == signal.SIGINT
        assert node.order()["signal"] == signal.SIGKILL
        node.end(signal.SIGKILL)

    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=deaf) as cluster:
        srun = Signalled(cluster, "--quit-on-interrupt")
        srun.send(signal.SIGINT)
        assert srun.ended()[0] == 137


def test_other_signals_are_passed_on(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=obedient) as cluster:
        srun = Signalled(cluster)
        srun.send(signal.SIGCONT, signal.SIGUSR1)
        assert srun.ended() == (138, ["srun: got SIGCONT", "srun: error: cn01: tasks 0-1: User defined signal 1"])


def test_ctrl_c_in_the_queue_takes_the_job_back(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = lambda talk, request: talk.say({"type": "Pending", "job_id": 65})
        process = cluster.start("true")
        assert process.stderr is not None
        assert process.stderr.readline() == b"srun: job 65 queued and waiting for resources\n"
        process.send_signal(signal.SIGINT)
        assert (process.wait(DEADLINE), process.stderr.read()) == (1, b"srun: Job allocation 65 has been revoked\n")
        assert len(cluster.asked("Relinquish")) == 1


def test_many_tasks_on_many_nodes_come_together(tmp_path: Path) -> None:
    layout = {f"cn{number:02}": list(range(number * 16, number * 16 + 16)) for number in range(4)}
    with fake_cluster(tmp_path, layout, **dict.fromkeys(layout, completed)) as cluster:
        ran = cluster.run("-N4", "-n64", "-l", "hostname")
        assert (ran.code, ran.err) == (0, "")
        assert sorted(ran.out.splitlines()) == sorted(f"{rank:2}: login1" for rank in range(64))


def test_what_mpi_tasks_exchange_comes_to_every_node_in_the_order_of_nodes(tmp_path: Path) -> None:
    heard: dict[str, bytes] = {}

    def gives(words: bytes) -> Script:
        def script(node: NodeSide) -> None:
            node.started()
            node.exchange(b"P" + words[:1])
            node.exchange(b"L" + words[1:])
            while (told := node.heard()) is not None and told[0] != step_io.EXCHANGE:
                pass
            heard[node.launch["places"][node.launch["node_rank"]][0]] = told[2] if told else b""
            node.end()

        return script

    with fake_cluster(tmp_path, {"cn01": [0, 1, 4], "cn02": [2, 3]}, cn01=gives(b"ab"), cn02=gives(b"cd")) as cluster:
        assert cluster.run("--mpi=pmi2", "-n5", "hostname").code == 0
        assert heard == {"cn01": b"Labcd", "cn02": b"Labcd"}
        launch = cluster.asked("LaunchStep")[0]
        assert (launch["mpi"], launch["places"], launch["kill_on_bad_exit"]) == ("pmi2", [["cn01", "0-1,4"], ["cn02", "2-3"]], True)


def test_the_code_with_which_an_mpi_task_aborts_is_what_srun_exits_with(tmp_path: Path) -> None:
    def aborts(node: NodeSide) -> None:
        node.started()
        node.exited(1, 3 << 8)
        node.exchange(b'A{"rank": 1}')
        assert node.order() == {"signal": 0, "end": "task_failure"}
        node.exited(0, signal.SIGTERM)
        node.done()

    with fake_cluster(tmp_path, {"cn01": [0, 1]}, cn01=aborts) as cluster:
        ran = cluster.run("--mpi=pmi2", "-K0", "-n2", "hostname")
        assert ran.code == 3 and "srun: Terminating StepId=" in ran.err


def test_kinds_of_mpi_that_are_not_there_are_refused_before_anything_is_asked_for(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        for name in ("foo", "pmix_v2", "cray_shasta"):
            unknown = cluster.run(f"--mpi={name}", "hostname")
            assert unknown.code == 1 and unknown.err.startswith(f"srun: error: Invalid MPI type '{name}', --mpi=list for acceptable types\n")
        listed = cluster.run("-n2", "--mpi=list").out
        assert listed == "MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugin versions available: pmix_v4\n" and not cluster.requests
