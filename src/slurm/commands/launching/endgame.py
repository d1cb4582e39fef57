"""How a step is brought to its end before its tasks end by themselves: ctrl-C, other signals, a failed task, --wait, news from outside.

Says the lines that Slurm says and sends what makes the slurmstepds act; that the step is over is seen in `step`.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from slurm.commands.launching.ledger import Ledger, Notice
from slurm.commands.launching.link import Link
from slurm.commands.launching.loop import Loop
from slurm.commands.launching.signals import ENDING, FORWARDED
from slurm.commands.launching.voice import Voice
from slurm.wire import step_io

INTERRUPT_SECONDS = 1.0
"""Two ctrl-C within this time end the step."""
_MERCY_SECONDS = 1.0
"""From the last ctrl-C, or from a signal that ends srun, to SIGKILL for tasks that do not mind it."""
_NEWS_SECONDS = 1.0
"""How long news from slurmctld waits for the same news from a node."""
_MARGIN_SECONDS = 2
"""What srun waits longer than the slurmstepds give the tasks (KillWait)."""


class Rules(NamedTuple):
    """What options say about ending. Seconds, 0: for ever."""

    kill_on_bad_exit: bool = False
    wait: int = 0
    quiet_interrupt: bool = False  # -X: the first ctrl-C goes to the tasks
    quit_on_interrupt: bool = False
    kill_wait: int = 30


class Endgame:
    """`step` as "StepId=12.0"; `flush()` says what is known of ended tasks before anything else is said."""

    def __init__(
        self, loop: Loop, voice: Voice, step: str, ledger: Ledger, links: Sequence[Link], rules: Rules, flush: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._voice = voice
        self._step = step
        self._ledger = ledger
        self._links = links
        self._rules = rules
        self._flush = flush
        self._interrupted_at = -INTERRUPT_SECONDS * 2
        self._aborted = False
        self._asked = False
        self._stopped = False  # by ctrl-C
        self._output_closed = False
        self.terminated = False
        """Whether srun ended the step because of its tasks, which it says when all is over."""
        self.abandoned = False
        """Whether nothing is to be waited for any more."""

    # --- signals ---------------------------------------------------------------------------------------------------------

    def on_signal(self, number: int) -> None:
        """What a signal to srun does to the step."""
        if number == signal.SIGINT:
            self._on_interrupt(time.monotonic())
        elif number in ENDING:
            self._flush()
            if number == signal.SIGQUIT:
                self._voice.info("Quit")
            self._voice.info("forcing job termination")
            self.abort()
            self._loop.after(_MERCY_SECONDS, "end", self.kill)  # what ends srun with the whole job has asked its tasks to end already
        elif number == signal.SIGCONT:
            self._voice.info("got SIGCONT")
        elif number in FORWARDED:
            self.forward(number)

    def _on_interrupt(self, now: float) -> None:
        if self._aborted:
            self.abandoned = True
            return
        again = now - self._interrupted_at <= INTERRUPT_SECONDS
        self._interrupted_at = now
        self._flush()
        if again or self._rules.quit_on_interrupt:
            self._send_interrupt()
            self._stopped = True
            self._voice.info("forcing job termination")
            self.abort()
            self._loop.after(_MERCY_SECONDS, "end", self.kill)
        elif self._rules.quiet_interrupt:
            self._send_interrupt()
        else:
            self._voice.info("interrupt (one more within 1 sec to abort)")
            self._say_status()

    def _send_interrupt(self) -> None:
        self._voice.info(f"sending Ctrl-C to {self._step}")
        self.forward(signal.SIGINT)

    def forward(self, number: int) -> None:
        """A signal for every task."""
        self._order({"signal": int(number)})

    def on_output_closed(self) -> None:
        """Nobody reads srun's output: the tasks hear what writing into a closed pipe would have told them."""
        self._output_closed = True
        self.forward(signal.SIGPIPE)
        self._loop.after(_MERCY_SECONDS, "end", self.kill)

    # --- from the tasks --------------------------------------------------------------------------------------------------

    def on_first_exit(self) -> None:
        """A task ended, the first one; with --wait the others have so many seconds left."""
        if self._rules.wait:
            self._loop.after(self._rules.wait, "wait", self._on_wait_over)

    def expected(self, notice: Notice) -> bool:
        """Whether tasks ended as was to be expected, which is not worth a line: whoever stops them by ctrl-C sees that they stop, and
        anything ends whose reader has gone (`srun yes | head`)."""
        return self._stopped or (self._output_closed and notice.ending.status == signal.SIGPIPE)

    def on_notice(self, notice: Notice) -> None:
        """Tasks ended, and it has been said how."""
        if notice.ending.status and self._rules.kill_on_bad_exit:
            self._terminate("task_failure")

    def on_task_aborted(self) -> None:
        """An MPI task ends the whole step."""
        self._terminate("task_failure")

    def _on_wait_over(self) -> None:
        self._flush()
        self._voice.info(f"First task exited {self._rules.wait}s ago")
        self._say_status()
        if not self._asked:
            self._voice.info(f"Terminating {self._step}")
            self.kill()
            self.abort()

    def _terminate(self, why: str) -> None:
        if not self._asked:
            self.terminated = True
            self._voice.info(f"Terminating {self._step}")
            self.end(why)

    # --- from outside ----------------------------------------------------------------------------------------------------

    def on_aborted(self, why: str) -> None:
        """A slurmstepd says that the step is being ended; our own order comes back so too."""
        if not self._asked and why != "task_failure":
            self.abort()

    def on_job_ended(self, state: str, job: int) -> None:
        """The whole job has ended; the slurmstepds hear of it too and say why, if they can."""
        if state == "CANCELLED":
            self._voice.info(f"Force Terminated job {job}")
        self._loop.after(_NEWS_SECONDS, "job ended", self.abort)

    def abort(self) -> None:
        """Say that the end is near and bound how long it is waited for."""
        if not self._aborted:
            self._aborted = True
            seconds = self._rules.kill_wait + _MARGIN_SECONDS
            self._voice.info(f"Job step aborted: Waiting up to {seconds} seconds for job step to finish.")
            self._loop.after(seconds, "abort", self._on_timeout)

    def kill(self) -> None:
        """End the tasks at once: whoever stops srun, or has waited for the last of them long enough, wants no more of them."""
        if not self._asked:
            self._asked = True
            self._order({"signal": int(signal.SIGKILL)})

    def end(self, why: str) -> None:
        """Have the slurmstepds end the tasks: SIGCONT, SIGTERM, and SIGKILL after KillWait."""
        if not self._asked:
            self._asked = True
            self._order({"signal": 0, "end": why})

    def _on_timeout(self) -> None:
        self._flush()
        self._voice.error("Timed out waiting for job step to complete")
        self.abandoned = True

    def _say_status(self) -> None:
        for line in self._ledger.status_lines(self._step):
            self._voice.info(line)

    def _order(self, order: dict[str, object]) -> None:
        data = json.dumps(order).encode()
        for link in self._links:
            link.send(step_io.SIGNAL, step_io.ALL_TASKS, data)
