"""scontrol: shows and changes jobs, nodes, partitions and the controller. The words it knows are here; `show` and `update` beside it."""

from __future__ import annotations

from collections.abc import Callable

from slurm.commands import (
    scontrol_act,
    scontrol_debug,
    scontrol_nodes,
    scontrol_pids,
    scontrol_reservations,
    scontrol_show,
    scontrol_takeover,
    scontrol_update,
)
from slurm.commands.shell import Shell, informed, notes, run
from slurm.model.errors import Unsupported
from slurm.model.version import version_line
from slurm.options import getopt, tables
from slurm.options.resolve import Resolved, resolve

Keyword = Callable[[Shell, Resolved, list[str]], int]

LATER = {
    "getent": "asking a slurmd for users", "fsdampeningfactor": "fair share", "power": "power caps",
    "abort": "aborting a daemon with a core file", "clusters": "several clusters",
    "cluster": "several clusters",
}
"""Keywords of scontrol that are not carried out yet, and what is missing."""


def main(shell: Shell | None = None) -> int:
    """Runs scontrol and returns its exit status."""
    return run(shell or Shell.of_process("scontrol"), _scontrol, usage_code=1)


def _scontrol(shell: Shell) -> int:
    resolved = _resolved(shell)
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    names = resolved.text("clusters") or resolved.text("cluster")
    if names:
        from slurm.commands import clusters

        _, shell = clusters.one(shell, names)
    if resolved.rest:
        return keyword(shell, resolved, resolved.rest)
    from slurm.commands import scontrol_prompt

    return scontrol_prompt.converse(shell, resolved, keyword)


def _resolved(shell: Shell) -> Resolved:
    """Options may stand behind the keyword too, as in `scontrol show job 86 -d`, but for setdebugflags, whose flags may begin with "-"."""
    words = shell.argv
    place = next((place for place, word in enumerate(words) if word.lower() == "setdebugflags"), len(words))
    given, rest = getopt.parse(words[:place], tables.rows("scontrol"), permute=True)
    rest += words[place:]
    options = [f"--{one.option.name}" + (f"={one.text}" if one.text else "") for one in given]
    return resolve("scontrol", [*options, "--", *rest], shell.environ, now=shell.now())


def keyword(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """Carries one line out; an unknown keyword is said as Slurm says it. Words may be shortened as long as they are clear."""
    word = words[0].lower()
    found = KEYWORDS.get(word) or _by_beginning(word)
    if found is not None:
        return found(shell.silent() if resolved.number("quiet") else shell, resolved, words[1:])
    if word in LATER:
        raise Unsupported(message=f"scontrol {words[0]} is not supported by slurm-py yet", hints=[f"missing: {LATER[word]}"])
    shell.raw(f"invalid keyword: {words[0]}")
    shell.hints(_meant(word))
    return 1


def _by_beginning(word: str) -> Keyword | None:
    if len(word) < 3:
        return None
    found = {KEYWORDS[name] for name in KEYWORDS if name.startswith(word)}
    later = any(name.startswith(word) for name in LATER)
    return found.pop() if len(found) == 1 and not later else None


def _meant(word: str) -> list[str]:
    from slurm.notation.nearest import nearest  # only when something is wrong

    meant = nearest(word, KEYWORDS)
    return [f"did you mean {meant}?" if meant else f"valid: {', '.join(sorted(KEYWORDS))}"]


def _version(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    shell.out(version_line())
    return 0


def _help(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    from slurm.options import usage

    shell.stdout.write(usage.help_text("scontrol"))
    shell.out("")
    shell.out("Keywords: " + ", ".join(sorted(KEYWORDS)))
    return 0


def _mode(option: str, value: object = True) -> Keyword:
    """A word that stands for an option from the next line of a conversation on."""

    def switch(shell: Shell, resolved: Resolved, words: list[str]) -> int:
        resolved.settings[option] = value
        if option in ("all", "hide"):
            resolved.settings["hide" if option == "all" else "all"] = False
        return 0

    return switch


def _nothing(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    return 0


KEYWORDS: dict[str, Keyword] = {
    "show": scontrol_show.show,
    "update": scontrol_update.update,
    "create": scontrol_reservations.create,
    "delete": scontrol_reservations.delete,
    "hold": scontrol_act.hold,
    "uhold": scontrol_act.uhold,
    "release": scontrol_act.release,
    "requeue": scontrol_act.requeue,
    "requeuehold": scontrol_act.requeue_hold,
    "top": scontrol_act.top,
    "suspend": scontrol_act.suspend,
    "resume": scontrol_act.resume,
    "ping": scontrol_act.ping,
    "takeover": scontrol_takeover.takeover,
    "reconfigure": scontrol_act.reconfigure,
    "shutdown": scontrol_act.shutdown,
    "token": scontrol_act.token,
    "write": scontrol_act.write,
    "wait_job": scontrol_act.wait_job,
    "completing": scontrol_show.completing,
    "reboot": scontrol_nodes.reboot,
    "reboot_nodes": scontrol_nodes.reboot,
    "cancel_reboot": scontrol_nodes.cancel_reboot,
    "notify": scontrol_act.notify,
    "listpids": scontrol_pids.listpids,
    "listjobs": scontrol_pids.listjobs,
    "liststeps": scontrol_pids.liststeps,
    "pidinfo": scontrol_pids.pidinfo,
    "setdebug": scontrol_debug.set_level,
    "setdebugflags": scontrol_debug.set_flags,
    "schedloglevel": scontrol_debug.set_scheduler_level,
    "errnumstr": scontrol_act.errnumstr,
    "all": _mode("all"),
    "details": _mode("details"),
    "future": _mode("future"),
    "hide": _mode("hide"),
    "oneliner": _mode("oneliner"),
    "quiet": _mode("quiet", 1),
    "verbose": _mode("verbose", 1),
    "version": _version,
    "help": _help,
    "exit": _nothing,
    "quit": _nothing,
}
"""First word → what it does; `exit` and `quit` end a conversation."""
