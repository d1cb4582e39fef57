"""`slurm adopt`: a login to a compute node is let in for a job that its user has there, and put into the job's extern step.

For sshd's PAM (pam_exec), as root: docs/operations/logins.md. It stands for Slurm's pam_slurm_adopt, and says what that says.
"""

from __future__ import annotations

import argparse
import os
import pwd
import syslog
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.config.config import load
from slurm.config.keys import find_conf, read_keys
from slurm.model.errors import ConfigError, NotNow, NotPermitted, SlurmError
from slurm.slurmd import admission

_DENIED = "Access denied by pam_slurm_adopt: "
_ADOPTING = ("", "account")
"""PAM_TYPE where a login is let in and adopted; "": called by hand. Not the session: before that pam_env may have read variables of the user's
own file, and those of root's Python (PYTHONPATH) among them would be the user's program run as root."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm adopt`."""
    parser.add_argument("-f", "--conf", default="", metavar="FILE", help="the slurm.conf (default: $SLURM_CONF except for PAM, /etc/slurm/slurm.conf)")
    parser.add_argument("-N", "--node", default="", metavar="NAME", help="the node (default: those of this machine)")
    parser.add_argument("-u", "--user", default="", help="whose login it is (default: $PAM_USER)")
    parser.add_argument("--pid", type=int, default=0, help="the process to adopt (default: the one that started this program)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Let in, or raise NotPermitted; both are written to the system's log."""
    kind = environ.get("PAM_TYPE", "")
    parent = os.getppid()
    name = options.user or environ.get("PAM_USER", "")
    syslog.openlog("slurm-adopt", syslog.LOG_PID, syslog.LOG_AUTH)
    try:
        if kind not in _ADOPTING:
            raise NotPermitted(message=f"{_DENIED}`slurm adopt` is for account lines of PAM, not for {kind}")
        # What PAM's environment holds the user may have written (pam_env): it does not say whose spool is believed.
        job = _admit(name, options.pid or parent, options.conf or find_conf({} if kind else environ) or "", options.node)
        if not options.pid and os.getppid() != parent:
            raise NotPermitted(message=f"{_DENIED}the session has ended")
    except SlurmError as error:
        syslog.syslog(syslog.LOG_NOTICE, f"user {name or '?'} is not let in: {error.message}")
        raise
    if job:
        syslog.syslog(syslog.LOG_INFO, f"user {name}: process {options.pid or parent} is of job {job} now")
    if options.json:
        console.answer({"job": job})
    return 0


def _admit(name: str, pid: int, conf: str, node: str) -> int:
    """The job that a login is of from now on; 0 for root, who needs none. NotPermitted, ConfigError."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise NotPermitted(message=f"{_DENIED}there is no user {name or '(PAM_USER is not set)'}") from None
    if uid == 0:
        return 0
    if pid <= 1:
        raise NotPermitted(message=f"{_DENIED}the session has ended")
    here = admission.of_user(_spools(conf, node), uid)
    failed = ""
    for step in here.externs:
        try:
            admission.adopt(step, pid)
        except NotNow as error:
            failed = failed or error.message
        else:
            return step.job
    if failed:
        raise NotPermitted(message=f"{_DENIED}{failed}")
    if here.bare:
        raise NotPermitted(message=f"{_DENIED}job {here.bare[-1]} has no extern step on this node (PrologFlags=Contain)")
    raise NotPermitted(message=f"{_DENIED}you have no active jobs on this node")


def _spools(conf: str, node: str) -> list[str]:
    """The spools of the slurmds of this machine, or of one node. ConfigError."""
    if not conf:
        raise ConfigError(message="there is no /etc/slurm/slurm.conf", hints=["-f FILE names the slurm.conf to use"])
    text = read_keys(conf).text("SlurmdSpoolDir")
    if "%" not in text:
        return [text]
    config = load(conf)  # with its nodes, which may be many
    if node and node not in config.nodes_by_name:
        raise ConfigError(message=f"{node} is no node of {conf}")
    host = os.uname().nodename
    own = {node} if node else {host, host.partition(".")[0]}
    found = [each for each in config.nodes if each.name in own or (not node and each.hostname in own)]
    if not found:
        raise ConfigError(message=f"no node of {conf} is on this machine", hints=["-N NAME says which one this is"])
    return [config.for_node("SlurmdSpoolDir", each) for each in found]
