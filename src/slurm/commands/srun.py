"""srun: runs a program as parallel tasks, in a job of its own or as a step of a job that runs. The parts lie in `launching`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from slurm.commands import cli_filter, plugstack
from slurm.commands.estimate import tell_start
from slurm.commands.launching import components, environment, mpi, multiprog, redirect, requests, scripts
from slurm.commands.launching.allocation import Allocation
from slurm.commands.launching.components import Part
from slurm.commands.launching.controller import Controller
from slurm.commands.launching.creation import StepCreation
from slurm.commands.launching.endgame import Rules
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.signals import ENDING, Signals
from slurm.commands.launching.step import X11_VARIABLE, Forwarder, Plan, Step
from slurm.commands.launching.terminal import RawTerminal, window
from slurm.commands.launching.voice import Voice
from slurm.commands.shell import Shell, informed, notes, run
from slurm.commands.submission import submit_prefix
from slurm.model.errors import NotFound, SlurmError
from slurm.net import container_options
from slurm.net.circumstances import present_folder, propagated_limits
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_NO_SUCH_JOB = frozenset({"ESLURM_INVALID_JOB_ID", "ESLURM_ALREADY_DONE", "ESLURM_JOB_PENDING"})
_FAILED_STATUS = 1 << 8
_FINISH_SECONDS = 10.0


def main(shell: Shell | None = None) -> int:
    """Runs srun and returns its exit status."""
    return run(shell or Shell.of_process("srun"), _srun)


def _srun(shell: Shell) -> int:
    stack = plugstack.load(shell)
    parts = components.parts_of(shell.argv, shell.environ, shell.now())
    resolved = parts[0].resolved
    if informed(shell, resolved):
        return 0
    if resolved.text("mpi") == "list":
        shell.out(mpi.listed())
        return 0
    notes(shell, resolved)
    stack.check(shell, quiet=bool(resolved.number("quiet")))
    if not resolved.rest:
        raise OptionError("No command given to execute.", exit_code=1, fatal=True)
    components.require_simple(parts)
    call = Call(shell, parts, stack)
    with Signals() as signals:
        call.watch(signals)
        return call.in_job(_job_id(resolved)) if "jobid" in resolved.settings else call.with_own_job()


def _signals(text: str) -> frozenset[int]:
    """The signals of --ignore-signals."""
    if not text:
        return frozenset()
    from slurm.model.errors import NotationError
    from slurm.notation import signal as notation

    try:
        return frozenset(notation.parse(word) for word in text.split(","))
    except NotationError as error:
        raise OptionError(f"Invalid --ignore-signals specification: {text}", exit_code=1, fatal=True, hints=[error.message]) from error


def _job_id(resolved: Resolved) -> int:
    text = resolved.text("jobid")
    if not text.isdigit():
        raise NotFound(message=f"Unable to confirm allocation for job {text}: Invalid job id specified", hints=[
            "srun takes the number of a job; `squeue -o '%i %A'` shows the one of an array's task"])
    return int(text)


class Call:
    """One srun from its options to its exit status."""

    def __init__(self, shell: Shell, parts: Sequence[Part], stack: plugstack.Stack) -> None:
        self._shell = shell
        self._parts = parts
        self._stack = stack
        resolved = self._resolved = parts[0].resolved
        self._voice = Voice("srun", resolved.number("verbose") - resolved.number("quiet"))
        self._loop = Loop()
        self._programs = _program_file(resolved) if resolved.flag("multi_prog") else ""
        self._controller = Controller(shell.environ)
        self._mpi = mpi.chosen(resolved.text("mpi"), self._controller.site.rules["mpidefault"], len(parts))
        self._step: Step | None = None
        self._stopped_by = 0
        for part in parts:
            _container(part.resolved)  # what is wrong with it is told before anything is asked for
        self._x11 = self._forwarding() if "jobid" in resolved.settings or not resolved.flag("test_only") else None
        self._ignored = _signals(resolved.text("ignore_signals"))
        if requests.binds_in_vain(resolved, self._controller.site.rules["taskplugin"]) and self._voice.level >= 0:
            shell.say("warning: --cpu-bind: tasks are not bound to CPUs here, TaskPlugin of slurm.conf has no task/affinity")

    def _forwarding(self) -> Forwarder | None:
        """Who forwards X11, as --x11 asks, or in a job as its salloc asked; None where nobody does. SlurmError."""
        resolved, environ = self._resolved, self._shell.environ
        inside = "jobid" in resolved.settings
        where = environ.get(X11_VARIABLE, "") if inside else resolved.text("x11")
        if inside and not where and "x11" in resolved.settings:
            self._voice.info("Ignoring --x11 option for a job step within an existing job. Set x11 options at job allocation time.")
        if not where:
            return None
        from slurm.commands.launching import x11  # few steps have windows

        try:
            display = x11.wanted(where, self._controller.site.rules["prologflags"], environ, "Unable to allocate resources: ")
            return x11.Forwarding(self._loop, display, where)
        except SlurmError as error:
            if not inside:
                raise
            self._voice.verbose(f"X11 is not forwarded: {error.message}")
            return None

    def watch(self, signals: Signals) -> None:
        """Hear signals in the loop."""
        self._loop.watch(signals.fileno(), READ, lambda _: self._on_signals(signals.take()))

    def _on_signals(self, numbers: list[int]) -> None:
        for number in numbers:
            if number not in self._ignored:
                self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        if self._step is not None:
            self._step.on_signal(number)
        elif number in (signal.SIGINT, *ENDING):
            self._stopped_by = number

    # --- a job of its own ------------------------------------------------------------------------------------------------

    def with_own_job(self) -> int:
        """Get an allocation, run the step in it, give it back."""
        asked = [self._job_request(part.resolved) for part in self._parts]
        if self._resolved.flag("test_only"):
            return tell_start(self._shell, asked)
        allocation = Allocation(self._loop, self._controller, self._voice)
        try:
            allocation.ask(*asked)
            self._loop.run(lambda: allocation.settled or self._stopped_by != 0)
        except SlurmError as error:
            allocation.refused = error
        if allocation.granted is None:
            return self._not_allocated(allocation)
        self._tell_of_allocation(allocation.granted)
        allocation.on_change = lambda: self._on_job_news(allocation)
        status = _FAILED_STATUS
        try:
            own = allocation.granted.get("components") or [allocation.granted]
            steps = [
                requests.of_step(part.resolved, self._shell.argv, nodes=min(len(given["node_names"]),
                _positive(one.get("ntasks")) or len(given["node_names"])))
                for part, one, given in zip(self._parts, asked, own, strict=True)]
            code, status = self._run_step(allocation.job_id, steps, own[0].get("environment", {}), own=True)
        finally:
            allocation.relinquish(status)
        return code

    def _job_request(self, resolved: Resolved) -> dict[str, object]:
        shell = self._shell
        request = requests.of_job(resolved, shell.argv, shell.environ, os.path.basename(resolved.rest[0]))
        requests.fit_nodes(request, self._voice.info)
        requests.fit_tasks_per_node(request, self._voice.info)
        return cli_filter.pre_submit(shell, request)

    def _not_allocated(self, allocation: Allocation) -> int:
        if allocation.refused is not None:
            self._shell.report(allocation.refused, submit_prefix(allocation.refused, "Unable to allocate resources: "))
        else:
            self._voice.info(f"Job allocation {allocation.job_id} has been revoked")
        allocation.relinquish(self._stopped_by or _FAILED_STATUS)
        return self._shell.failure_code(1)

    def _tell_of_allocation(self, granted: Mapping[str, Any]) -> None:
        self._voice.verbose(f"JobId={granted['job_id']} returned by the controller")
        self._voice.verbose(f"Nodes {granted['nodes']} are ready for job")
        self._tell_of_nodes(granted["job_id"], len(granted["node_names"]), str(granted["nodes"]), str(granted["cpus_per_node"]))

    def _tell_of_nodes(self, job_id: int, count: int, nodes: str, cpus: str) -> None:
        counts = ",".join(part if "(" in part else f"{part}(x1)" for part in cpus.split(","))
        self._voice.verbose(f"jobid {job_id}: nodes({count}):`{nodes}', cpu counts: {counts}")
        self._voice.verbose("CpuBindType=(null type)")

    def _on_job_news(self, allocation: Allocation) -> None:
        if allocation.ended is not None and self._step is not None:
            self._step.endgame.on_job_ended(str(allocation.ended["state"]), allocation.job_id)

    # --- a step of a job that runs ---------------------------------------------------------------------------------------

    def in_job(self, job_id: int) -> int:
        """Run a step in job `job_id`."""
        environ = self._shell.environ
        steps = [requests.of_step(part.resolved, self._shell.argv) for part in self._parts]
        for request in steps:
            requests.fit_nodes(request, self._voice.info)
            requests.fit_tasks_per_node(request, self._voice.info)
        if "SLURM_JOB_NODELIST" in environ and environ.get("SLURM_JOB_ID") == str(job_id):
            self._tell_of_nodes(
                job_id, int(environ.get("SLURM_JOB_NUM_NODES", "1")), environ["SLURM_JOB_NODELIST"],
                environ.get("SLURM_JOB_CPUS_PER_NODE", "1"))
        return self._run_step(job_id, steps, {}, own=False)[0]

    def _finish(self, granted: Mapping[str, Any], status: int) -> None:
        """Tell slurmctld that the step is over, so that the next one finds its resources free."""
        for part in (granted, *granted.get("components", ())):
            job_id, step = int(part["job_id"]), int(part["step_id"])
            try:
                self._controller.tell({"type": "FinishStep", "job_id": job_id, "step_id": step, "status": status}, _FINISH_SECONDS)
            except SlurmError as error:
                self._voice.verbose(f"StepId={job_id}.{step}: its nodes report its end ({error.message})")

    # --- the step --------------------------------------------------------------------------------------------------------

    def _run_step(self, job_id: int, asked: Sequence[dict[str, object]], allocation: Mapping[str, str], *, own: bool) -> tuple[int, int]:
        """(exit code of srun, wait status of the step). `own`: giving the allocation back will end the step, nothing else is needed."""
        granted = self._create_step(job_id, asked)
        if granted is None:
            return self._shell.failure_code(1), _FAILED_STATUS
        try:
            plan = self._plan(granted, allocation, self._broadcast(job_id, int(granted["step_id"])))
        except SlurmError as error:
            self._shell.report(error)
            self._finish(granted, _FAILED_STATUS)
            return self._shell.failure_code(1), _FAILED_STATUS
        around = {**self._shell.environ, **granted.get("environment", {})}
        if not self._ran_prolog(around):
            self._finish(granted, _FAILED_STATUS)
            return self._shell.failure_code(1), _FAILED_STATUS
        if len(self._parts) > 1:
            granted = components.together(granted, [
                {"credential": given["credential"], "argv": part.resolved.rest, "gpu_bind": requests.gpu_bind(part.resolved.request),
                 "environment": self._environment(given, allocation, part.resolved),
                 **requests.cpu_binding(part.resolved, self._shell.environ)}
                for part, given in zip(self._parts, (granted, *granted["components"]), strict=True)])
        step = self._step = Step(self._loop, self._voice, self._controller, granted, plan)
        with RawTerminal(0) if plan.window is not None else nullcontext():
            self._voice.raw = plan.window is not None
            step.run()
            self._voice.raw = False
        self._run_epilog(around)
        code, status = step.ledger.worst.shell_code(), step.ledger.worst.status
        if (step.broken or step.endgame.abandoned) and not code:
            code, status = 1, _FAILED_STATUS
        if not own:
            self._finish(granted, status)
        return code, status

    def _ran_prolog(self, environment: Mapping[str, str]) -> bool:
        """Run SrunProlog or --prolog; False when it failed: the step is not begun then."""
        program = scripts.chosen(self._resolved.text("prolog"), self._controller.site.rules["srunprolog"])
        failed = scripts.run(program, environment, "prolog_srun") if program else 0
        if failed:
            self._voice.error(f"srun prolog failed rc = {failed}. Aborting step.")
        return not failed

    def _run_epilog(self, environment: Mapping[str, str]) -> None:
        program = scripts.chosen(self._resolved.text("epilog"), self._controller.site.rules["srunepilog"])
        failed = scripts.run(program, environment, "epilog_srun") if program else 0
        if failed:
            self._voice.error(f"srun epilog failed status={failed}")

    def _create_step(self, job_id: int, asked: Sequence[dict[str, object]]) -> dict[str, Any] | None:
        wanted = [(part.group, request) for part, request in zip(self._parts, asked, strict=True)]
        inside = self._shell.environ.get("SLURM_STEP_ID", "").isdecimal()  # the steps of scripts have numbers below 0, and hold nothing
        creation = StepCreation(self._loop, self._controller, self._voice, job_id, wanted, inside=inside)
        try:
            creation.ask()
            self._loop.run(lambda: creation.settled or self._stopped_by != 0)
        except SlurmError as error:
            creation.refused = error
        finally:
            creation.close()
        if creation.granted is None and creation.refused is not None:
            self._not_created(job_id, creation.refused)
        elif creation.granted is None:
            self._voice.info(f"Cancelled pending job step with signal {self._stopped_by}")
        return creation.granted

    def _not_created(self, job_id: int, error: SlurmError) -> None:
        if error.name == "ESLURM_NOT_HET_JOB":
            self._shell.report(error)
        elif error.name in _NO_SUCH_JOB:
            self._voice.error(f"Unable to confirm allocation for job {job_id}: {error.message}")
            self._voice.info(f"Check SLURM_JOB_ID environment variable. Expired or invalid job {job_id}")
            self._shell.hints(error.hints)
        else:
            self._shell.report(error, f"Unable to create step for job {job_id}: ")

    def _broadcast(self, job_id: int, step_id: int) -> list[str]:
        """The step's words; with --bcast its program is copied to the nodes first, and they begin with the copy.

        SlurmError when it cannot be copied.
        """
        words = self._resolved.rest
        if "bcast" not in self._resolved.settings:
            return words
        import shutil  # here: few calls need it

        program = shutil.which(words[0], path=self._shell.environ.get("PATH"))
        if program is None:
            raise NotFound(message=f"{words[0]}: command not found", hints=["--bcast copies a program that is here"])
        copy = self._resolved.text("bcast")
        if not copy or copy.endswith("/"):
            copy = f"{copy}slurm_bcast_{job_id}.{step_id}"
        copy = os.path.join(_work_dir(self._resolved.request.get("work_dir")), copy)
        sbcast = os.path.join(os.path.dirname(sys.argv[0]), "sbcast")
        if scripts.run(sbcast, self._shell.environ, "", ["--force", "--jobid", str(job_id), program, copy]):
            raise SlurmError("ESLURM_INVALID_OPTION", f"Failed to broadcast '{program}'. Step launch aborted.")
        return [copy, *words[1:]]

    def _plan(self, granted: Mapping[str, Any], allocation: Mapping[str, str], words: list[str]) -> Plan:
        resolved = self._resolved
        terminal = self._terminal() if "pty" in resolved.settings else None
        fields = redirect.fields_of(int(granted["job_id"]), int(granted["step_id"]),
            {**self._shell.environ, **granted.get("environment", {})})
        asked = resolved.request
        wanted = [str(asked.get(name, "")) for name in ("stdin", "stdout", "stderr")]
        ntasks = sum(len(place["ranks"]) for part in (granted, *granted.get("components", ())) for place in part["layout"])
        streams = redirect.TERMINAL if terminal else redirect.plan(wanted[0], wanted[1], wanted[2], fields, ntasks)
        append = asked.get("open_mode") == "append"
        folder = _work_dir(asked.get("work_dir"))
        launch = {
            "credential": granted["credential"], "argv": words, "work_dir": folder,
            "stdin": streams.stdin.remote, "stdout": streams.stdout.remote, "stderr": streams.stderr.remote, "append": append,
            "umask": _umask(), "rlimits": propagated_limits(resolved, self._shell.environ),
            "kill_on_bad_exit": self._kills_on_bad_exit(), "gpu_bind": requests.gpu_bind(asked),
            "task_prolog": _script(resolved.text("task_prolog")), "task_epilog": _script(resolved.text("task_epilog")),
            "environment": self._environment(granted, allocation, resolved),
            **({"wait_for_children": True} if resolved.flag("wait_for_children") else {}),
            **mpi.launch_fields(self._mpi, granted["layout"]), **requests.cpu_binding(resolved, self._shell.environ),
        }
        if terminal:
            launch.update(pty=True, rows=terminal[0], cols=terminal[1])
        return Plan(
            launch=launch, streams=streams, opened=redirect.open_streams(streams, folder, append=append),
            rules=self._rules(granted), label=resolved.flag("label"), unbuffered=resolved.flag("unbuffered") or terminal is not None,
            programs=multiprog.parse(self._programs, ntasks, resolved.rest[0]) if resolved.flag("multi_prog") else [],
            x11=self._x11, no_kill=asked.get("no_kill") is True, window=(lambda: window(0)) if terminal else None)

    def _kills_on_bad_exit(self) -> bool:
        """As -K says, else KillOnBadExit; of an MPI program without one of its tasks nothing is left to do."""
        asked = self._resolved.step.get("kill_on_bad_exit")
        return bool(asked) if asked is not None else bool(self._mpi) or self._controller.site.rules["killonbadexit"].strip() not in ("",
            "0")

    def _wait_time(self) -> int:
        text = self._controller.site.rules["waittime"]
        return int(text) if text.isdecimal() else 0

    def _rules(self, granted: Mapping[str, Any]) -> Rules:
        resolved = self._resolved
        return Rules(
            kill_on_bad_exit=self._kills_on_bad_exit(), wait=resolved.number("wait") if "wait" in resolved.settings else self._wait_time(),
            quiet_interrupt=resolved.flag("disable_status"), quit_on_interrupt=resolved.flag("quit_on_interrupt"),
            kill_wait=int(granted.get("kill_wait", 30)))

    def _environment(self, granted: Mapping[str, Any], allocation: Mapping[str, str], asked: Resolved) -> dict[str, str]:
        resolved = self._resolved
        tasks = environment.of_tasks(
            self._shell.environ, resolved.text("export"), allocation, granted.get("environment", {}), umask=_umask(),
            level=self._voice.level, keep=resolved.flag("preserve_env"),
            leave_out=lambda name: self._voice.info(f"warning: variable {name} is no UTF-8 text, the tasks do not get it"))
        tasks.update({**_container(asked), **self._stack.variables(asked)})
        if self._x11 is not None:
            tasks[X11_VARIABLE] = self._resolved.text("x11") or self._shell.environ.get(X11_VARIABLE, "")
        return tasks

    def _terminal(self) -> tuple[int, int] | None:
        try:
            return window(0)
        except OSError as error:
            self._voice.error(f"ioctl(TIOCGWINSZ): {os.strerror(error.errno or 0)}")
            self._voice.error("Not using a pseudo-terminal, disregarding --pty option")
            return None


def _container(resolved: Resolved) -> dict[str, str]:
    return container_options.asked(resolved, _work_dir(resolved.request.get("work_dir")))


def _program_file(resolved: Resolved) -> str:
    """The text of the file that --multi-prog names; syntax is checked before anything is asked for."""
    path = resolved.rest[0]
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SlurmError("ESLURM_INVALID_OPTION", f"Could not open multi_prog config file {path}", hints=[_why(error)]) from error
    ntasks = _positive(resolved.step.get("ntasks"))
    if ntasks:
        multiprog.parse(text, ntasks, path)
    return text


def _why(error: OSError | UnicodeDecodeError) -> str:
    return os.strerror(error.errno or 0) if isinstance(error, OSError) else f"it is no UTF-8 text: {error.reason}"


def _script(path: str) -> str:
    """A task prolog or epilog as nodes are told of it: a path from here is one from the root."""
    return "" if path.lower() == "none" else os.path.abspath(path) if "/" in path else path


def _work_dir(wanted: object) -> str:
    here = present_folder()
    return os.path.join(here, wanted) if isinstance(wanted, str) and wanted else here


def _umask() -> int:
    present = os.umask(0)
    os.umask(present)
    return present


def _positive(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
