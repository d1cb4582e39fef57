"""salloc: gets resources and runs a program, or the user's shell, that may use them.

The allocation itself lies in `launching.allocation`.
"""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from typing import Any

from slurm.commands import cli_filter, plugstack
from slurm.commands.launching import requests
from slurm.commands.launching.allocation import Allocation
from slurm.commands.launching.controller import Controller
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.program import Program, user_shell
from slurm.commands.launching.signals import ENDING, Signals
from slurm.commands.launching.step import X11_VARIABLE
from slurm.commands.launching.voice import Voice
from slurm.commands.shell import Shell, informed, notes, run
from slurm.commands.submission import submit_prefix
from slurm.model.errors import SlurmError
from slurm.net import container_options
from slurm.net.circumstances import present_folder
from slurm.options.components import resolve_all
from slurm.options.resolve import Resolved

_JOB_NAME = "interactive"
_NAME_WITHOUT_SHELL = "no-shell"
_NOTED = (signal.SIGINT, *ENDING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
_STOPPING = (signal.SIGINT, *ENDING)
_BELL_SECONDS = 10.0
"""Who waited longer than this has looked away."""


def main(shell: Shell | None = None) -> int:
    """Runs salloc and returns its exit status."""
    return run(shell or Shell.of_process("salloc"), _salloc)


def _salloc(shell: Shell) -> int:
    stack = plugstack.load(shell)
    components = resolve_all("salloc", shell.argv, shell.environ, now=shell.now())
    if informed(shell, components[0]):
        return 0
    notes(shell, components[0])
    stack.check(shell, quiet=bool(components[0].number("quiet")))
    call = Call(shell, components, stack)
    with Signals(_NOTED, (signal.SIGTTOU, signal.SIGTTIN)) as signals:
        call.watch(signals)
        return call.go()


class Call:
    """One salloc from its options to its exit status."""

    def __init__(self, shell: Shell, components: Sequence[Resolved], stack: plugstack.Stack) -> None:
        self._shell = shell
        self._components = components
        resolved = self._resolved = components[0]
        self._voice = Voice("salloc", resolved.number("verbose") - resolved.number("quiet"))
        self._loop = Loop()
        self._controller = Controller(shell.environ)
        self._stopped_by = 0
        self._program: Program | None = None
        self._kill_signal = _kill_signal(resolved)
        self._x11 = {X11_VARIABLE: self._forwarded()} if "x11" in resolved.settings else {}
        self._added = {**self._x11, **container_options.inherited(resolved, present_folder()), **stack.variables(resolved)}

    def _forwarded(self) -> str:
        """For which nodes X11 is asked to be forwarded. SlurmError where it cannot be."""
        from slurm.commands.launching import x11  # few allocations have windows

        where = self._resolved.text("x11")
        x11.wanted(where, self._controller.site.rules["prologflags"], self._shell.environ, "Job submit/allocate failed: ")
        return where

    def watch(self, signals: Signals) -> None:
        """Hear signals in the loop."""
        self._loop.watch(signals.fileno(), READ, lambda _: self._on_signals(signals.take()))

    def _on_signals(self, numbers: list[int]) -> None:
        for number in numbers:
            if self._program is None:
                self._stopped_by = number if number in _STOPPING else self._stopped_by
            elif number == signal.SIGCHLD:
                self._program.look()
            elif number not in (signal.SIGINT, signal.SIGQUIT):  # these two the terminal sends to the program as well
                self._program.signal(number)

    def go(self) -> int:
        """Get the allocation, run the program, give the allocation back."""
        shell, resolved = self._shell, self._resolved
        asked = [self._request(one) for one in self._components]
        allocation = Allocation(self._loop, self._controller, self._voice)
        allocation.pending_line = "Pending job allocation {job}"
        began = shell.now()
        try:
            allocation.ask(*asked)
            self._loop.run(lambda: allocation.settled or self._stopped_by != 0)
        except SlurmError as error:
            allocation.refused = error
        if allocation.granted is None:
            return self._not_allocated(allocation)
        self._voice.info(f"Granted job allocation {allocation.job_id}")
        nodes = ",".join(str(part["nodes"]) for part in allocation.granted.get("components") or [allocation.granted])
        self._voice.info(f"Nodes {nodes} are ready for job")
        if resolved.flag("bell") or (shell.now() - began > _BELL_SECONDS and not resolved.flag("no_bell") and os.isatty(2)):
            os.write(2, b"\a")
        if resolved.flag("no_shell"):
            allocation.leave()
            return 0
        return self._run_program(allocation, allocation.granted)

    def _request(self, component: Resolved) -> dict[str, object]:
        request = requests.of_job(component, self._shell.argv, self._shell.environ,
                                  _NAME_WITHOUT_SHELL if self._resolved.flag("no_shell") else _JOB_NAME)
        requests.fit_nodes(request, self._voice.info)
        if self._resolved.flag("no_shell"):
            request["no_shell"] = True
        return cli_filter.pre_submit(self._shell, request)

    def _not_allocated(self, allocation: Allocation) -> int:
        if allocation.refused is not None:
            self._shell.report(allocation.refused, submit_prefix(allocation.refused, "Job submit/allocate failed: "))
        elif allocation.job_id:
            self._voice.info(f"Job allocation {allocation.job_id} has been revoked.")
        allocation.relinquish(self._stopped_by or 1 << 8)
        return self._shell.failure_code(1)

    def _run_program(self, allocation: Allocation, granted: dict[str, Any]) -> int:
        argv = self._resolved.rest or self._shell_words(granted)
        environment = {**self._shell.environ, **granted.get("environment", {}), **self._added}
        program = self._program = Program(argv, environment, str(self._resolved.request.get("work_dir") or ""))
        allocation.on_change = lambda: self._on_job_news(allocation, program)
        try:
            program.start()
            self._loop.run(lambda: program.status is not None)
        except OSError as error:
            self._voice.error(f"execve(): {argv[0]}: {os.strerror(error.errno or 0)}")
            program.status = 1 << 8
        finally:
            program.give_terminal_back()
            self._give_back(allocation, program)
        return program.exit_code()

    def _shell_words(self, granted: dict[str, Any]) -> list[str]:
        """The user's shell, here, or with LaunchParameters=use_interactive_step on the first node of the allocation."""
        rules = self._controller.site.rules
        if "use_interactive_step" not in rules["launchparameters"].lower().split(","):
            return [user_shell(self._shell.environ)]
        options = rules["interactivestepoptions"] or "--interactive --preserve-env --pty $SHELL"
        environment = {**self._shell.environ, **granted.get("environment", {}), "SHELL": user_shell(self._shell.environ)}
        import string  # here: few calls need it

        return ["srun", *shlex.split(string.Template(options).safe_substitute(environment))]

    def _give_back(self, allocation: Allocation, program: Program) -> None:
        if allocation.ended is None:
            self._voice.info(f"Relinquishing job allocation {allocation.job_id}")
        allocation.relinquish(program.status or 0)

    def _on_job_news(self, allocation: Allocation, program: Program) -> None:
        if allocation.ended is None or program.revoked:
            return
        if allocation.ended["state"] == "TIMEOUT":
            self._voice.info(f"Job {allocation.job_id} has exceeded its time limit and its allocation has been revoked.")
        else:
            self._voice.info(f"Job allocation {allocation.job_id} has been revoked.")
        program.revoke(self._kill_signal)


def _kill_signal(resolved: Resolved) -> int:
    """What the program gets when its allocation ends: what -K says, else what tells a shell that its terminal has gone."""
    if "kill_command" not in resolved.settings:
        return signal.SIGTERM if resolved.rest else signal.SIGHUP
    from slurm.notation import signal as notation  # hardly an allocation needs it

    return notation.parse(resolved.text("kill_command"))
