"""SrunProlog and SrunEpilog, --prolog and --epilog: programs that srun runs itself, before the step and after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

_DEFAULTED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGXFSZ)


def chosen(asked: str, configured: str) -> str:
    """The program to run, "" for none: what the option says, where the word none stands for no program, else what the cluster has."""
    return "" if asked.lower() == "none" else asked or configured


def run(program: str, environment: Mapping[str, str], context: str, words: Sequence[str] = ()) -> int:
    """Run it to its end with our input and output; its exit code as a shell shows it, 127 when it cannot be run."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            for number in _DEFAULTED:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(program, [program, *words], {**environment, **({"SLURM_SCRIPT_CONTEXT": context} if context else {})})
        except OSError as error:
            os.write(2, f"srun: error: {program}: {error.strerror}\n".encode(errors="surrogateescape"))
        finally:
            os._exit(127)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code
