"""Where the plug-in is that a configuration names: of ours, a file, or an entry point. And who may have written the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from slurm.daemon.user import distrusted
from slurm.model.errors import ConfigError

GROUP = "slurm.plugins"
OURS = {
    "jobcomp/filetxt": "slurm.plugins.jobcomp_filetxt", "jobcomp/script": "slurm.plugins.jobcomp_script",
    "jobcomp/elasticsearch": "slurm.plugins.jobcomp_http", "jobcomp/http": "slurm.plugins.jobcomp_http",
    "job_submit/all_partitions": "slurm.plugins.submit_all_partitions",
    "job_submit/require_timelimit": "slurm.plugins.submit_require_timelimit", "job_submit/throttle": "slurm.plugins.submit_throttle",
    "mail/program": "slurm.plugins.mail_program", "mail/webhook": "slurm.plugins.mail_webhook",
}
NOT_OURS = {
    "jobcomp/kafka": "slurm-py speaks no Kafka: JobCompType=jobcomp/http sends the same record as JSON to a URL, which a bridge can take",
    "jobcomp/mysql": "use accounting (slurmdbd), which keeps more in MySQL, or JobCompType=jobcomp/filetxt",
    "jobcomp/lua": "slurm-py runs no Lua: write the same functions in Python, docs/how-to/plug-ins.md shows how",
    "job_submit/lua": "slurm-py runs no Lua: write job_submit(job, settings) in Python, docs/how-to/plug-ins.md shows how",
    "cli_filter/lua": "slurm-py runs no Lua: write pre_submit(options, settings) in Python, docs/how-to/plug-ins.md shows how",
    "site_factor/lua": "slurm-py runs no Lua: write site_factor(job, settings) in Python, docs/how-to/plug-ins.md shows how",
}


class Source(NamedTuple):
    """One plug-in: `name` as it is shown, and one of the other three."""

    name: str
    module: str = ""
    file: str = ""
    entry_point: str = ""

    def told(self) -> dict[str, str]:
        """As its process is told."""
        return {"module": self.module, "file": self.file, "entry_point": self.entry_point}


def find(key: str, place: str, value: str, folders: Sequence[str], owners: frozenset[int] | None) -> Source:
    """The plug-in that `key`=`value` names for a place such as "jobcomp"; ConfigError says where it was looked for.

    `folders` are those of PluginDir. A file, and the folder it is in, must belong to one of `owners` and be written by nobody else; None
    asks nobody.
    """
    if value.startswith("/"):
        return Source(value, file=_trusted(key, value, owners))
    name = value.rpartition("/")[2] if value.startswith(f"{place}/") else value
    full = f"{place}/{name}"
    if full in OURS:
        return Source(full, module=OURS[full])
    if full in NOT_OURS:
        raise ConfigError(message=f"{key}={value} is not supported", hints=[NOT_OURS[full]])
    if "/" in name or name in ("", ".", ".."):
        raise ConfigError(message=f"{key}={value}: {name!r} is no name of a plug-in",
            hints=[f"write {key}={place}/NAME, or the whole path of a file"])
    file = f"{place}_{name}.py"
    for folder in folders:
        path = os.path.join(folder, file)
        if os.path.exists(path):
            return Source(full, file=_trusted(key, path, owners))
    if _is_entry_point(full):
        return Source(full, entry_point=full)
    known = sorted(each.partition("/")[2] for each in OURS if each.startswith(f"{place}/"))
    raise ConfigError(message=f"{key}={value}: there is no such plug-in", hints=[
        f"looked for {file} in PluginDir ({', '.join(folders)}), and for an entry point {full} of the group {GROUP}",
        *([f"slurm-py brings {', '.join(known)}"] if known and place != "mail" else [])])


def folders_of(plugin_dir: str) -> list[str]:
    """The folders of a PluginDir: several have colons between them."""
    return [folder for folder in plugin_dir.split(":") if folder]


def _is_entry_point(name: str) -> bool:
    from importlib.metadata import entry_points  # noqa: PLC0415  (costs commands 10 ms, and mostly nobody asks)
    return bool(entry_points(group=GROUP, name=name))


def _trusted(key: str, path: str, owners: frozenset[int] | None) -> str:
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(message=f"{key}: {path} is no file")
        if owners is None:
            return path
        for each, about in ((path, facts), (os.path.dirname(path), os.stat(os.path.dirname(path)))):
            if about.st_mode & stat.S_ISVTX and stat.S_ISDIR(about.st_mode):
                continue  # as /tmp: who does not own a file there cannot replace it
            why = distrusted(about, owners, 0o022)
            if why:
                raise ConfigError(message=f"{key}: plug-in {each} cannot be trusted: {why}", hints=["chown it to root and chmod go-w it"])
    except OSError as error:
        raise ConfigError(message=f"{key}: plug-in {path}: {error.strerror}") from error
    return path
