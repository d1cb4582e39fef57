"""Shells that complete a command line, and a cluster of programs that answer at once or never."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from tests.meta.source import ROOT

COMPLETION = ROOT / "packaging" / "completion"
ANSWERS = {
    "squeue": r'case "$*" in *-s*) printf "12.0\tstep\n" ;; *) printf "12\ttrain, RUNNING, ada\n13_[1-9]\tsweep, PENDING, bob\n" ;; esac',
    "sinfo": 'case "$*" in *%R*) printf "debug\\ngpu\\n" ;; *%N*) printf "cn01\\ncn02\\n" ;; *%f*) printf "fast,big\\n(null)\\n" ;; esac',
    "sacctmgr": 'case "$*" in *user*) printf "ada\\nbob\\n" ;; *account*) printf "physics\\nphilology\\n" ;; *qos*) printf "normal\\nhigh\\n" ;; esac',
    "scontrol": 'printf "ReservationName=maint StartTime=1\\n"',
    "slurm": "", "slurmctld": "",
    "sacct": 'printf "11\\n12\\n"',
}
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>()][B0]?|\r|\x07")


def programs(folder: Path, answers: dict[str, str] = ANSWERS) -> dict[str, str]:
    """An environment whose Slurm commands are programs that print these answers."""
    folder.mkdir()
    for name, answer in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:/usr/bin:/bin", "TERM": "dumb", "HOME": str(folder)}


def bash(line: str, environ: dict[str, str]) -> list[str]:
    """What bash would put in the place of the last word of its own."""
    command = line.split()[0]
    script = f'compopt() {{ :; }}; . {COMPLETION}/bash/{command}; COMP_LINE=$1 COMP_POINT=${{#1}}; _slurm_py {command}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", line], capture_output=True, text=True, env=environ, timeout=30, check=True)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def fish(line: str, environ: dict[str, str]) -> list[str]:
    """What fish offers for the last word, as the whole word, without its remarks."""
    script = f"set fish_complete_path {COMPLETION}/fish; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environ, timeout=30, check=True)
    assert not done.stderr, done.stderr
    return [one.partition("\t")[0] for one in done.stdout.splitlines()]


def expect_of_zsh(line: str, offered: str, environ: dict[str, str]) -> None:
    """Types a line and presses TAB once; AssertionError unless zsh then shows what is expected, in the line or below it."""
    setup = f"fpath=({COMPLETION}/zsh $fpath); autoload -U compinit && compinit -u -D; setopt no_beep; LISTMAX=1000; PS1='READY '\n"
    Path(environ["HOME"], ".zshrc").write_text(setup, encoding="utf-8")
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
        os.execvpe("zsh", ["zsh", "-d", "-i"], environ)
    try:
        _until(terminal, rb"READY ")
        os.write(terminal, line.encode() + b"\t")
        _until(terminal, re.escape(offered).encode())
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def _until(terminal: int, pattern: bytes) -> None:
    """Read until the pattern was shown; AssertionError after 20 seconds."""
    seen = b""
    deadline = time.monotonic() + 20
    while not re.search(pattern, _shown(seen)):
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], seen
        seen += os.read(terminal, 65536)


def _shown(seen: bytes) -> bytes:
    """What a terminal shows of it: without colours, and what was written over."""
    text = _COLOURS.sub(b"", seen)
    while b"\b" in text[1:]:
        text = re.sub(b"[^\b]\b", b"", text, count=1)
    return text
