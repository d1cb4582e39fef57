"""How a process ended: wait statuses, Slurm's "code:signal" and the words people read. Waiting is slurmd's work."""

from typing import NamedTuple

from slurm.notation.errors import NotationError

_WORDS = (
    "Hangup", "Interrupt", "Quit", "Illegal instruction",
    "Trace/breakpoint trap", "Aborted", "Bus error", "Floating point exception",
    "Killed", "User defined signal 1", "Segmentation fault", "User defined signal 2",
    "Broken pipe", "Alarm clock", "Terminated", "Stack fault",
    "Child exited", "Continued", "Stopped (signal)", "Stopped",
    "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition", "CPU time limit exceeded",
    "File size limit exceeded", "Virtual timer expired", "Profiling timer expired", "Window changed",
    "I/O possible", "Power failure", "Bad system call",
)
_FIRST_REAL_TIME = 34
_CORE = 0x80


class ExitStatus(NamedTuple):
    """Exit code (0-255) and signal (0: none) of a process; `core`: it left a core file."""

    code: int = 0
    signal: int = 0
    core: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with code 0."""
        return self.code == 0 and self.signal == 0

    def show(self) -> str:
        """ "0:15", as squeue, scontrol and sacct print it."""
        return f"{self.code}:{self.signal}"

    def words(self) -> str:
        """What srun says of it: "Completed", "Exited with exit code 3", "Segmentation fault (core dumped)", "Terminated"."""
        if self.signal:
            return signal_words(self.signal) + (" (core dumped)" if self.core else "")
        return f"Exited with exit code {self.code}" if self.code else "Completed"

    def shell_code(self) -> int:
        """The exit code by which a shell or srun passes it on: the code, or 128 + signal."""
        return 128 + self.signal if self.signal else self.code

    def to_wait(self) -> int:
        """The wait status, as waitpid(2) gives it."""
        return self.signal | (_CORE if self.core else 0) if self.signal else self.code << 8


def from_wait(status: int) -> ExitStatus:
    """Reads a wait status as waitpid(2) gives it (of a process that ended, not one that stopped)."""
    number = status & 0x7F
    return ExitStatus(0, number, bool(status & _CORE)) if number else ExitStatus((status >> 8) & 0xFF)


def show(status: int) -> str:
    """A wait status as "code:signal"."""
    return from_wait(status).show()


def parse(text: str) -> ExitStatus:
    """Reads "code:signal" or a bare code, each 0 to 255."""
    numbers = text.strip().split(":")
    if len(numbers) > 2 or not all(number.isascii() and number.isdigit() and int(number[:4]) < 256 for number in numbers):
        raise NotationError("not an exit status", text=text, valid='"code:signal" such as "0:15"')
    return ExitStatus(int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 0)


def signal_words(number: int) -> str:
    """What strsignal(3) calls a signal: "Terminated", "Killed", "Real-time signal 2"."""
    if 0 < number <= len(_WORDS):
        return _WORDS[number - 1]
    return f"Real-time signal {number - _FIRST_REAL_TIME}" if number >= _FIRST_REAL_TIME else f"Unknown signal {number}"
