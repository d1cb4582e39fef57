"""From the configuration to the plug-ins that are told of jobs: JobCompType and its neighbours, MailProg."""

from __future__ import annotations

import os
from typing import NamedTuple

from slurm.config.config import Config
from slurm.model.errors import ConfigError
from slurm.plugins import sources
from slurm.plugins.sources import Source

_COMPLETION_KEYS = ("JobCompHost", "JobCompLoc", "JobCompParams", "JobCompPass", "JobCompPort", "JobCompType", "JobCompUser")
_MAIL_KEYS = ("MailProg", "MailDomain")
_MAIL_OTHERWISE = "/usr/bin/mail"


class Wanted(NamedTuple):
    """A plug-in and its settings; without a source nobody is told, `why` says why where somebody may wonder."""

    source: Source | None = None
    settings: dict[str, object] = {}
    why: str = ""


def completion(conf: Config, owners: frozenset[int]) -> Wanted:
    """Who hears of ended jobs. A plug-in that is not there is said, and does not keep a controller from starting."""
    kind = conf.text("JobCompType")
    if kind.lower().rpartition("/")[2] in ("", "none"):
        return Wanted()
    try:
        source = sources.find("JobCompType", "jobcomp", kind, sources.folders_of(conf.text("PluginDir")), owners)
        _verify(source, conf)
    except ConfigError as error:
        return Wanted(why="; ".join(error.lines()))
    settings: dict[str, object] = {key: conf.text(key) for key in _COMPLETION_KEYS}
    return Wanted(source, settings | {"JobCompPort": conf.number("JobCompPort"), "ClusterName": conf.cluster_name})


def mail(conf: Config) -> Wanted:
    """Who takes mail: a program, or a URL."""
    program = conf.text("MailProg")
    settings: dict[str, object] = {"MailProg": program, "MailDomain": conf.text("MailDomain"), "ClusterName": conf.cluster_name}
    if program.startswith(("http://", "https://")):
        return Wanted(Source("mail/webhook", module=sources.OURS["mail/webhook"]), settings)
    if not conf.written("MailProg") and not os.access(program, os.X_OK) and os.access(_MAIL_OTHERWISE, os.X_OK):
        program = settings["MailProg"] = _MAIL_OTHERWISE
    if not os.path.isabs(program) or not os.access(program, os.X_OK):
        return Wanted(why=f"no mail is sent: MailProg {program} is no program on the controller's machine")
    return Wanted(Source("mail/program", module=sources.OURS["mail/program"]), settings)


def _verify(source: Source, conf: Config) -> None:
    where = conf.text("JobCompLoc")
    if source.name == "jobcomp/script" and not os.access(where, os.X_OK):
        raise ConfigError(message=f"JobCompType=jobcomp/script: JobCompLoc={where} is no program", hints=["name one by its whole path"])
    if source.module.endswith("jobcomp_http") and not where.startswith(("http://", "https://")):
        raise ConfigError(message=f"JobCompType={source.name}: JobCompLoc={where} is no URL",
            hints=["such as http://localhost:9200/slurm/_doc"])
