"""Preemption as slurm.conf says it: PreemptType, PreemptMode, PreemptExemptTime, PreemptParameters, SchedulerTimeSlice."""

from __future__ import annotations

from collections.abc import Callable

from slurm.config.config import Config
from slurm.model.errors import ConfigError
from slurm.model.settings import Settings
from slurm.notation.nearest import nearest

TYPES = ("none", "qos", "partition_prio")
MODES = ("cancel", "gang", "off", "requeue", "suspend", "within")
REFUSED = {
    "reclaim_licenses": "jobs give way for nodes only, not for licences",
}
"""Words of PreemptParameters that are not carried out, and why."""
_NUMBERS = ("min_exempt_priority", "reorder_count", "suspend_grace_time")
_FLAGS = ("send_user_signal", "strict_order", "youngest_first")


def take_up(settings: Settings, conf: Config) -> Settings:
    """With what decides about who gives way. ConfigError for words that are none, are not carried out or cannot be together."""
    kind = conf.text("PreemptType").lower().rpartition("/")[2] or "none"
    if kind not in TYPES:
        raise ConfigError(message=f"{conf.path}: PreemptType={conf.text('PreemptType')}", hints=[
            f"valid: {', '.join('preempt/' + one for one in TYPES)}"])
    modes = modes_of(conf.text("PreemptMode"), f"{conf.path}: PreemptMode")
    _require(conf, kind, modes)
    for partition in conf.partitions:
        own = modes_of(partition.preempt_mode, f"{conf.path}: PartitionName={partition.name} PreemptMode")
        if "suspend" in own and "gang" not in modes:
            raise ConfigError(message=f"{conf.path}: PartitionName={partition.name} PreemptMode=SUSPEND needs GANG for the whole cluster",
                hints=[
                "write PreemptMode=SUSPEND,GANG, or PreemptMode=CANCEL,GANG beside it"])
    parameters = conf.options("PreemptParameters")
    for word in parameters:
        if word in REFUSED:
            raise ConfigError(message=f"{conf.path}: PreemptParameters={word} is not carried out yet: {REFUSED[word]}")
        if word not in (*_NUMBERS, *_FLAGS):
            meant = nearest(word, (*_NUMBERS, *_FLAGS))
            raise ConfigError(message=f"{conf.path}: PreemptParameters={word} is not known", hints=[
                f"did you mean {meant}?" if meant else f"valid: {', '.join(sorted((*_NUMBERS, *_FLAGS)))}"])
    number = _reader(conf)
    settings.preempt_type, settings.preempt_modes = kind, modes
    settings.preempt_exempt_time = max(0, conf.seconds("PreemptExemptTime"))
    settings.preempt_youngest_first = "youngest_first" in parameters
    settings.preempt_strict_order = "strict_order" in parameters
    settings.preempt_user_signal = "send_user_signal" in parameters
    settings.preempt_reorder_count = number("reorder_count", 1)
    least = number("min_exempt_priority", -1)
    settings.preempt_min_exempt_priority = least if least >= 0 else None
    settings.suspend_grace_time = number("suspend_grace_time", settings.suspend_grace_time)
    settings.time_slice = conf.seconds("SchedulerTimeSlice")
    if "gang" in modes and not 5 <= settings.time_slice <= 65533:
        raise ConfigError(message=f"{conf.path}: SchedulerTimeSlice={settings.time_slice} is no number of seconds from 5 to 65533")
    return settings


def modes_of(text: str, where: str) -> list[str]:
    """The words of a PreemptMode in small letters. ConfigError for one that is none, or for two that say how jobs give way."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in MODES:
            raise ConfigError(message=f"{where}={text}", hints=[f"valid: {', '.join(one.upper() for one in MODES)}"])
    if len([word for word in words if word not in ("gang", "within")]) > 1:
        raise ConfigError(message=f"{where}={text}: jobs give way in one way", hints=["GANG and WITHIN may stand beside it"])
    return words


def _require(conf: Config, kind: str, modes: list[str]) -> None:
    gives_way = [word for word in modes if word in ("cancel", "requeue", "suspend")]
    if kind != "none" and not gives_way:
        raise ConfigError(message=f"{conf.path}: PreemptType=preempt/{kind} needs a PreemptMode", hints=[
            "valid: CANCEL, REQUEUE, SUSPEND,GANG"])
    if "suspend" in modes and "gang" not in modes:
        raise ConfigError(message=f"{conf.path}: PreemptMode=SUSPEND needs GANG, which resumes the suspended jobs", hints=[
            "write PreemptMode=SUSPEND,GANG"])
    if "within" in modes and kind != "qos":
        raise ConfigError(message=f"{conf.path}: PreemptMode=WITHIN is for PreemptType=preempt/qos")
    if "suspend" in modes and "MEMORY" not in conf.text("SelectTypeParameters").upper():
        raise ConfigError(message=f"{conf.path}: PreemptMode=SUSPEND: suspended jobs keep their memory, which must be tracked", hints=[
            "write SelectTypeParameters=CR_Core_Memory"])


def _reader(conf: Config) -> Callable[[str, int], int]:
    def number(name: str, otherwise: int) -> int:
        text = conf.options("PreemptParameters").get(name)
        if text is None:
            return otherwise
        if not text.isdecimal() or len(text) > 10:
            raise ConfigError(message=f"{conf.path}: PreemptParameters={name}={text} is no number")
        return int(text)

    return number
