"""What came of each step credential that was used here: a node starts a step once by it, and tells whoever comes with it again the same.

Kept on disk for as long as credentials may come again, so that this holds after a restart of slurmd too, when step folders have long gone.
One line a piece of news, in the order in which it came; a line that was being written when the machine stopped is passed over. Times are
slurmctld's. Not here: whether a credential is genuine (`credentials`), sockets (`step_server`).
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from slurm.model.errors import StoreError
from slurm.slurmd.stepd.folder import StepKey
from slurm.wire.step_credential import LONGEST_LIFETIME

log = logging.getLogger("slurmd.answers")
FILE = "step_answers"
_FEW_LINES = 4096
"""The file is written anew when it has so many lines, most of them out of date."""


class Answer:
    """What came of one step here: `failed` as in a FAILED message, or how its tasks ended (rank → wait status); neither while it runs."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.failed: dict[str, Any] | None = None
        self.statuses: dict[int, int] | None = None
        self._waiting: list[Callable[[Answer], None]] = []

    @property
    def known(self) -> bool:
        """Whether it is known what came of it."""
        return self.failed is not None or self.statuses is not None

    def when_known(self, tell: Callable[[Answer], None]) -> None:
        """Call `tell` once it is known, at once when it is."""
        if self.known:
            tell(self)
        else:
            self._waiting.append(tell)

    def settle(self) -> None:
        """Tell those who wait."""
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(self)


class Answers:
    """The answers of one node; `now` is what slurmctld's clock shows."""

    def __init__(self, spool: str, now: Callable[[], float]) -> None:
        self._path = os.path.join(spool, FILE)
        self._now = now
        self._answers: dict[StepKey, Answer] = {}
        self._over: dict[tuple[int, int], float] = {}
        self._file = -1
        self._lines = 0

    def open(self) -> list[tuple[int, int]]:
        """Read what an earlier slurmd wrote; the attempts that were ended here, of which no step may begin. StoreError."""
        try:
            with open(self._path, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            text = b""
        except OSError as error:
            raise StoreError(message=f"cannot read {self._path}: {error.strerror}") from error
        try:
            for line in text.split(b"\n")[:-1]:
                self._take(json.loads(line))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise StoreError(message=f"{self._path} cannot be read: {error}", hints=[
                "without it a step could run twice; if no step was started in the last hour, remove it and start slurmd again"]) from error
        try:
            self._rewrite()
        except OSError as error:
            log.error("cannot write %s anew, it is written on: %s", self._path, error.strerror)
            self._write_on(text.rfind(b"\n") + 1)
        return list(self._over)

    def _write_on(self, whole: int) -> None:
        """On a full disk: behind the `whole` bytes of the file as it is, so that what runs here is watched and goes on."""
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, whole)
        except OSError as error:
            raise StoreError(message=f"cannot write {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def find(self, key: StepKey) -> Answer | None:
        """What came of a step, if it was begun here by a credential that may still come."""
        return self._answers.get(key)

    def begun(self, key: StepKey, until: float) -> None:
        """A step is about to be started by a credential that is good until then. OSError: it must not be started."""
        self._write("begun", *key, until)
        self._answers[key] = Answer(until)
        self._tidy()

    def failed(self, key: StepKey, failure: Mapping[str, Any]) -> None:
        """It could not be started."""
        self._settle("failed", key, dict(failure))

    def ended(self, key: StepKey, statuses: Mapping[int, int]) -> None:
        """Its tasks here ended so."""
        self._settle("ended", key, [[rank, status] for rank, status in statuses.items()])

    def keep_begun(self, here: Callable[[StepKey], bool]) -> None:
        """After a restart: forget the steps of which nothing is `here` and whose end was never written. They were not begun after all."""
        self._answers = {key: answer for key, answer in self._answers.items() if answer.known or here(key)}

    def over(self, job: int, attempt: int) -> None:
        """No step of this attempt may begin here any more, whatever credentials there are."""
        if (job, attempt) not in self._over:
            self._note("over", job, attempt, self._now() + LONGEST_LIFETIME)

    # --- the file --------------------------------------------------------------------------------------------------------

    def _settle(self, word: str, key: StepKey, what: object) -> None:
        answer = self._answers.get(key)
        if answer is None or answer.known:
            return
        self._note(word, *key, what)
        answer.settle()

    def _note(self, *news: object) -> None:
        """Write what is true whether it can be written or not."""
        try:
            self._write(*news)
        except OSError as error:
            log.error("cannot write %s: %s", self._path, error.strerror)
        self._take(list(news))
        self._tidy()

    def _write(self, *news: object) -> None:
        line = json.dumps(news, separators=(",", ":")).encode() + b"\n"
        found = os.fstat(self._file)
        if not found.st_nlink:  # somebody removed it: what is known here is written anew
            os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
            self._rewrite()
            found = os.fstat(self._file)
        size = found.st_size
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._lines += 1

    def _tidy(self) -> None:
        if self._lines <= _FEW_LINES:
            return
        self._forget()
        if self._lines < 4 * (len(self._answers) + len(self._over)):
            self._lines = 0  # most of it holds: ask again later
            return
        try:
            self._rewrite()
        except OSError as error:
            log.error("cannot write %s anew: %s", self._path, error.strerror)
            self._lines = 0

    def _take(self, news: list[Any]) -> None:
        word, job, attempt = news[0], int(news[1]), int(news[2])
        if word == "over":
            self._over[job, attempt] = float(news[3])
            return
        key = StepKey(job, attempt, int(news[3]))
        if word == "begun":
            self._answers[key] = Answer(float(news[4]))
        elif word == "failed" and key in self._answers:
            self._answers[key].failed = dict(news[4])
        elif word == "ended" and key in self._answers:
            self._answers[key].statuses = {int(rank): int(status) for rank, status in news[4]}

    def _forget(self) -> None:
        now = self._now()
        self._answers = {key: answer for key, answer in self._answers.items() if answer.until >= now or not answer.known}
        self._over = {attempt: until for attempt, until in self._over.items() if until >= now}

    def _rewrite(self) -> None:
        self._forget()
        lines: list[tuple[object, ...]] = [("over", *attempt, until) for attempt, until in self._over.items()]
        for key, answer in self._answers.items():
            lines.append(("begun", *key, answer.until))
            if answer.failed is not None:
                lines.append(("failed", *key, answer.failed))
            elif answer.statuses is not None:
                lines.append(("ended", *key, list(answer.statuses.items())))
        fresh = self._path + ".new"
        try:
            with open(fresh, "wb") as file:
                file.writelines(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
            os.chmod(fresh, 0o600)
            os.replace(fresh, self._path)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise
        self.close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(lines)
