"""Retry: when a task is tried again, and with what. The words of @task for it are read here.

What the task raises is tried again inside its job (`tried`); how a job may end otherwise, by a further job (`attempts`). Imported by every
job.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slurm.sdk.errors import InvalidOption

WORDS = ("retries", "retry_on", "retry_delay", "retry_backoff", "retry_memory", "retry_time")
STATES = ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "TIMEOUT", "FAILED")
"""Ends of a job that another one may cure. FAILED is that of a task that ended without raising: a crash, os._exit."""
USUAL = ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "FAILED")
LONGEST_PAUSE = 3600.0
ATTEMPT = "SLURM_SDK_ATTEMPT"
"""Variable in the jobs that are further attempts: how many came before."""


class Retry:
    """The wish of a task: `times` tries more than one, after the ends `states` and the exceptions `errors`.

    Before the n-th of them pass `delay * backoff ** (n - 1)` seconds, at most an hour. After OUT_OF_MEMORY there is `memory` times the
    memory, after TIMEOUT
    `time` times the time. `words` is what was written.
    """

    __slots__ = ("backoff", "delay", "errors", "memory", "states", "time", "times", "words")

    def __init__(self, words: Mapping[str, object], where: str) -> None:
        self.words = dict(words)
        self.times = _count(words["retries"], where)
        self.delay = _seconds(words.get("retry_delay", 0), where)
        self.backoff = _factor("retry_backoff", words.get("retry_backoff", 2.0), where)
        self.memory = _factor("retry_memory", words.get("retry_memory", 1.0), where)
        self.time = _factor("retry_time", words.get("retry_time", 1.0), where)
        if "retry_on" in words:
            self.states, self.errors = _causes(words["retry_on"], where)
        else:
            grown = [state for state, factor in (("OUT_OF_MEMORY", self.memory), ("TIMEOUT", self.time)) if factor > 1]
            self.states, self.errors = frozenset((*USUAL, *grown)), (Exception,)
        for word, state in (("retry_memory", "OUT_OF_MEMORY"), ("retry_time", "TIMEOUT")):
            if word in words and state not in self.states:
                raise InvalidOption(f"{where}: {word} says what follows {state}, which retry_on leaves out: add \"{state}\" to it")

    def pause(self, number: int) -> float:
        """Seconds before the further try of this number, 1 being the first."""
        return min(LONGEST_PAUSE, self.delay * self.backoff ** min(number - 1, 64))


def taken(words: dict[str, object], where: str, base: Retry | None = None) -> Retry | None:
    """Take the words that are about retries from the others, and what they mean on top of `base`; InvalidOption when they mean nothing.

    None takes a word back; retries=0 all of them.
    """
    own = {word: words.pop(word) for word in WORDS if word in words}
    if not own:
        return base
    merged = {word: value for word, value in {**(base.words if base else {}), **own}.items() if value is not None}
    if merged.get("retries") == 0 and merged["retries"] is not False:
        return None
    if "retries" not in merged:
        if set(own.values()) == {None}:
            return None
        raise InvalidOption(f"{where}: {next(iter(merged))} means something only with retries=N, the number of further tries")
    return Retry(merged, where)


def tried(policy: Retry, environ: Mapping[str, str], call: Callable[[], Any], again: Callable[[], Any]) -> Any:
    """Inside the job: what `call` returns, or after an exception that the policy names what `again` returns, which loads its arguments
    anew."""
    left = policy.times - int(environ.get(ATTEMPT) or 0)
    for number in range(1, left + 1):
        try:
            return call()
        except policy.errors as error:
            from slurm.sdk.calls.raised import story  # only when something was raised

            pause = policy.pause(number)
            print(f"{story(error)}slurm.runner: trying again{f' in {pause:g} s' if pause else ''} ({number} of {left})", file=sys.stderr,
                flush=True)
            time.sleep(pause)
            call = again
    return call()


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{where}: retries={value!r}: give the number of further tries, 0 for none")
    return value


def _seconds(value: object, where: str) -> float:
    from datetime import timedelta

    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_PAUSE:
        raise InvalidOption(f"{where}: retry_delay={value!r}: give seconds, from 0 to {LONGEST_PAUSE:.0f}, or a timedelta")
    return float(seconds)


def _factor(word: str, value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise InvalidOption(f"{where}: {word}={value!r}: give a factor, from 1 to 100")
    return float(value)


def _causes(value: object, where: str) -> tuple[frozenset[str], tuple[type[BaseException], ...]]:
    causes = (value,) if isinstance(value, str | type) or not isinstance(value, Iterable) else tuple(value)
    states, errors = [], []
    for cause in causes:
        if isinstance(cause, type) and issubclass(cause, BaseException):
            errors.append(cause)
        elif isinstance(cause, str) and cause.upper() in STATES:
            states.append(cause.upper())
        else:
            raise InvalidOption(f"{where}: retry_on={cause!r}: give classes of exceptions, or states: {', '.join(STATES)}")
    if not causes:
        raise InvalidOption(f"{where}: retry_on is empty: nothing would be tried again")
    return frozenset(states), tuple(errors)
