"""From the configuration to what the pure core works with: settings, nodes, partitions.

The one place that knows both `config` and `model`; core and planner never see a configuration key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

from slurm.config import programs
from slurm.config.config import Config
from slurm.config.gres import MAX_DEVICES, GresDevice, pools_of
from slurm.config.nodes import NodeConf
from slurm.config.partitions import PartitionConf
from slurm.core.events import Configured
from slurm.core.nodes import saving
from slurm.daemon.user import Account, find
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError, NotationError
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.model.states import NodeState, Power
from slurm.notation import hostlist, licenses
from slurm.notation.tres import parse_weights
from slurm.slurmctld import preemption
from slurm.slurmctld.power import Programs as Switching
from slurm.slurmctld.proofs import Programs
from slurm.slurmctld.scripts import ControllerScripts
from slurm.wire.step_credential import LIFETIME, LONGEST_LIFETIME

MOST_COMPLETE_WAIT = 65533
NEVER_SECONDS = 100 * 365 * 86400
"""MinJobAge=0 means that ended jobs are never forgotten."""
MAX_SECONDS_DIGITS = 9
CASCADE_AT_ONCE = 100
"""Waiting jobs that are told of others' ends in one turn of the loop: some milliseconds."""
RESTART_KEYS = (
    "ClusterName", "SlurmctldHost", "SlurmctldPort", "SlurmctldPidFile", "StateSaveLocation", "SlurmUser", "AuthType", "AuthInfo",
    "SlurmctldLogFile",
    "AccountingStorageType", "AccountingStorageHost", "AccountingStorageBackupHost", "AccountingStoragePort")
"""What a running controller cannot change."""


def configured(conf: Config, now: float, operators: list[int], *, lines: Mapping[str, Node] = MappingProxyType({}),
               keeps: str = "") -> Configured:
    """The event that says this configuration holds from now on.

    `lines`: the nodes that were made while the cluster ran, of which `conf` says what they are; `keeps`: as the event has it.
    """
    return Configured(
        at=now, may_run=True, keeps=keeps,
        settings=_with_shares(settings_of(conf, operators), conf),
        nodes=[_with_line(node_of(node, conf.devices(node.name), position, spec_first=spec_cores_first(conf), switched=_switches(conf)),
            lines.get(node.name)) for position, node in enumerate(conf.nodes)],
        partitions=[partition_of(partition, position) for position, partition in enumerate(conf.partitions)],
    )


def _with_line(node: Node, made: Node | None) -> Node:
    if made is not None:
        node.line, node.by_slurmd = made.line, made.by_slurmd
    return node


def with_made(conf: Config, nodes: Iterable[Node]) -> tuple[Config, dict[str, Node], list[str]]:
    """The configuration with the nodes that were made while the cluster ran, which these are, and what is wrong with those it cannot have.

    A node that slurm.conf has by now is none of them.
    """
    made: dict[str, Node] = {node.name: node for node in nodes if node.line and node.name not in conf.nodes_by_name}
    try:
        return conf.with_nodes([node.line for node in made.values()]), dict(made), []
    except ConfigError:
        pass  # one of them does not go with what slurm.conf says now: which?
    good: dict[str, Node] = {}
    wrong: list[str] = []
    for name, node in made.items():
        try:
            conf.with_nodes([node.line])
        except ConfigError as error:
            wrong.append(f"node {name}, which was made by {node.line!r}, cannot be any more: {'; '.join(error.lines())}")
        else:
            good[name] = node
    return conf.with_nodes([node.line for node in good.values()]), good, wrong


def reconfigure_keeps(conf: Config) -> str:
    """What of partitions that scontrol changed stays when slurm.conf is read again: ReconfigFlags."""
    flags = {word.lower() for word in conf.words("ReconfigFlags")}
    return "all" if "keeppartinfo" in flags else "state" if "keeppartstate" in flags else ""


def _switches(conf: Config) -> bool:
    """Whether nodes are switched on by a program."""
    return bool(conf.text("ResumeProgram"))


def _memory(conf: Config, key: str) -> int | None:
    return conf.number(key) if conf.written(key) else None


def _complete_wait(conf: Config) -> int:
    """Seconds; ConfigError for more than Slurm knows."""
    seconds = conf.seconds("CompleteWait")
    if seconds > MOST_COMPLETE_WAIT:
        raise ConfigError(message=f"{conf.path}: CompleteWait={seconds} is more than {MOST_COMPLETE_WAIT}", hints=[
            "seconds for which completing jobs keep others from starting; KillWait plus two is what Slurm recommends"])
    return seconds


def _mpi_ports(conf: Config) -> list[int]:
    """The first and the last port that are kept for steps, as MpiParams has it; ConfigError where that is no range."""
    text = conf.options("MpiParams").get("ports")
    if text is None:
        return []
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) <= 0xFFFF):
        raise ConfigError(
            message=f"{conf.path}: MpiParams=ports={text} is no range of ports", hints=["write for example ports=12000-12999"])
    return [int(first), int(last)]


def _hetjob_priority(parameters: Mapping[str, str]) -> str:
    word = parameters.get("bf_hetjob_prio", "").lower()
    if word not in ("", "min", "avg", "max"):
        raise ConfigError(message=f"SchedulerParameters: bf_hetjob_prio={word}", hints=["valid: min, avg, max"])
    return word


def settings_of(conf: Config, operators: list[int]) -> Settings:
    """Settings: cluster-wide rules; `operators` are uids besides root that may administrate."""
    select = conf.text("SelectTypeParameters").upper()
    unit = next((word.lower() for word in ("CORE", "SOCKET", "CPU") if f"CR_{word}" in select), "core")
    parameters = conf.options("SchedulerParameters")
    default, scheduler = Settings(), partial(_scheduler_number, conf)
    return Settings(
        cluster_name=conf.cluster_name, slurm_user=conf.text("SlurmUser"), operators=operators, max_job_count=conf.number("MaxJobCount"),
        max_array_size=conf.number("MaxArraySize"), max_step_count=conf.number("MaxStepCount"),
        max_tasks_per_node=conf.number("MaxTasksPerNode"), first_job_id=conf.number("FirstJobId"), max_job_id=conf.number("MaxJobId"),
        min_job_age=conf.seconds("MinJobAge") or NEVER_SECONDS, kill_wait=conf.seconds("KillWait"),
        over_time_limit=conf.seconds("OverTimeLimit"), reservation_over_run=conf.seconds("ResvOverRun"),
        inactive_limit=conf.seconds("InactiveLimit"), batch_start_timeout=conf.seconds("BatchStartTimeout"),
        complete_wait=_complete_wait(conf), mpi_ports=_mpi_ports(conf), slurmd_timeout=conf.seconds("SlurmdTimeout"),
        unkillable_step_timeout=conf.seconds("UnkillableStepTimeout"),
        requeue_unproven=_switch_seconds(conf, "SlurmctldParameters", "requeue_unproven"),
        fence_timeout=_switch_seconds(conf, "SlurmdParameters", "fence_timeout") or 0, return_to_service=conf.number("ReturnToService"),
        job_requeue=conf.flag("JobRequeue"), max_batch_requeue=conf.number("MaxBatchRequeue"),
        kill_on_invalid_dep="kill_invalid_depend" in parameters or "kill_invalid_depend" in conf.words("DependencyParameters"),
        cascade_at_once=CASCADE_AT_ONCE, enforce_part_limits=conf.text("EnforcePartLimits") or "NO",
        disable_root_jobs=conf.flag("DisableRootJobs"), node_prolog=bool(programs.patterns(conf, "Prolog")),
        node_epilog=bool(programs.patterns(conf, "Epilog")), controller_prolog=bool(programs.patterns(conf, "PrologSlurmctld")),
        controller_epilog=bool(programs.patterns(conf, "EpilogSlurmctld")), prolog_flags=prolog_flags(conf),
        hold_on_prolog_fail="nohold_on_prolog_fail" not in parameters, job_file_append=conf.flag("JobFileAppend"),
        requeue_exit=exit_codes(conf, "RequeueExit"), requeue_exit_hold=exit_codes(conf, "RequeueExitHold"),
        select="linear" if "linear" in conf.text("SelectType") else "cons_tres", select_unit=unit, select_memory="MEMORY" in select,
        select_one_task_per_core="CR_ONE_TASK_PER_CORE" in select, gres_types=conf.words("GresTypes"),
        def_mem_per_cpu=_memory(conf, "DefMemPerCPU"), def_mem_per_node=_memory(conf, "DefMemPerNode"),
        max_mem_per_cpu=_memory(conf, "MaxMemPerCPU"), max_mem_per_node=_memory(conf, "MaxMemPerNode"),
        config_overrides="config_overrides" in conf.words("SlurmdParameters"), licenses=_licenses(conf),
        scheduler="builtin" if "builtin" in conf.text("SchedulerType") or scheduler("bf_interval", 0) == -1 else "backfill",
        backfill_window=scheduler("bf_window", default.backfill_window // 60) * 60,
        backfill_resolution=scheduler("bf_resolution", default.backfill_resolution),
        backfill_interval=scheduler("bf_interval", default.backfill_interval),
        backfill_max_jobs=scheduler("bf_max_job_test", default.backfill_max_jobs),
        max_script_size=scheduler("max_script_size", default.max_script_size),
        max_submit_line_size=scheduler("max_submit_line_size", default.max_submit_line_size),
        default_queue_depth=scheduler("default_queue_depth", default.default_queue_depth),
        backfill_max_user=scheduler("bf_max_job_user", 0), backfill_max_partition=scheduler("bf_max_job_part", 0),
        backfill_max_user_partition=scheduler("bf_max_job_user_part", 0), backfill_max_association=scheduler("bf_max_job_assoc", 0),
        backfill_max_starts=scheduler("bf_max_job_start", 0), backfill_max_time=scheduler("bf_max_time", 0),
        backfill_min_age=scheduler("bf_min_age_reserve", 0), backfill_min_priority=scheduler("bf_min_prio_reserve", 0),
        backfill_reservations=scheduler("bf_job_part_count_reserve", default.backfill_reservations),
        backfill_one_reservation="bf_one_resv_per_job" in parameters, partition_job_depth=scheduler("partition_job_depth", 0),
        sched_max_starts=scheduler("sched_max_job_start", 0), sched_max_time=scheduler("max_sched_time", 0),
        sched_min_interval=scheduler("sched_min_interval", 0), sched_interval=scheduler("sched_interval", default.sched_interval),
        whole_hetjob="whole_hetjob" in parameters, assoc_limit_stop="assoc_limit_stop" in parameters,
        priority_type="basic" if "basic" in conf.text("PriorityType") else "multifactor", hetjob_priority=_hetjob_priority(parameters),
        priority_weight_age=conf.number("PriorityWeightAge"), priority_weight_job_size=conf.number("PriorityWeightJobSize"),
        priority_weight_partition=conf.number("PriorityWeightPartition"), priority_max_age=conf.seconds("PriorityMaxAge"),
        priority_favor_small=conf.flag("PriorityFavorSmall"), priority_flags=conf.words("PriorityFlags"),
        priority_weight_association=conf.number("PriorityWeightAssoc"), priority_weight_fair_share=conf.number("PriorityWeightFairShare"),
        priority_weight_qos=conf.number("PriorityWeightQOS"), priority_weight_tres=parse_weights(conf.text("PriorityWeightTRES")),
        priority_decay_half_life=conf.seconds("PriorityDecayHalfLife"), fair_share_dampening=conf.number("FairShareDampeningFactor"),
        usage_reset_period=conf.text("PriorityUsageResetPeriod"),
        track_wckey=conf.flag("TrackWCKey") or "wckeys" in enforcement(conf.words("AccountingStorageEnforce")),
        private_data=sorted({word.lower() for word in conf.words("PrivateData")} - {"none"}),
        cron_enabled=_cron(conf, "enable") and not _cron(conf, "disable"), cron_explicit_cancel=_cron(conf, "explicit_scancel"),
        accounting_enforce=enforcement(conf.words("AccountingStorageEnforce")), accounting=records_leave(conf),
        accounting_store=[word.lower() for word in conf.words("AccountingStoreFlags")],
        accounting_tres=conf.words("AccountingStorageTRES"))


def _cron(conf: Config, word: str) -> bool:
    return word in (one.lower() for one in conf.words("ScronParameters"))


def _with_shares(settings: Settings, conf: Config) -> Settings:
    """With what decides about nodes and a job's share of them."""
    switches = ("CR_LLN", "CR_CORE_DEFAULT_DIST_BLOCK")
    settings.select = " ".join([settings.select, *(word for word in conf.words("SelectTypeParameters") if word in switches)])
    settings.topologies = conf.topologies
    settings.max_switch_wait = _scheduler_number(conf, "max_switch_wait", settings.max_switch_wait)
    settings.max_node_count = max(conf.number("MaxNodeCount"), 0)
    settings.suspends, settings.resumes, settings.reboots = (
        bool(conf.text(key)) for key in ("SuspendProgram", "ResumeProgram", "RebootProgram"))
    settings.suspend_time, settings.suspend_timeout = conf.seconds("SuspendTime"), conf.seconds("SuspendTimeout")
    settings.resume_timeout = conf.seconds("ResumeTimeout")
    settings.suspend_rate, settings.resume_rate = conf.number("SuspendRate"), conf.number("ResumeRate")
    settings.suspend_exc_nodes, settings.suspend_exc_parts = _excepted(conf), conf.words("SuspendExcParts")
    settings.suspend_exc_states = _excepted_states(conf)
    preemption.take_up(settings, conf)
    settings.job_defaults, settings.spec_usage = conf.job_defaults, conf.flag("AllowSpecResourcesUsage")
    return settings


def _excepted(conf: Config) -> str:
    """SuspendExcNodes, found to be well written. ConfigError."""
    text = conf.text("SuspendExcNodes")
    try:
        for names, _ in saving.excepted(text):
            hostlist.expand(names)
    except ValueError as error:
        raise ConfigError(message=f"{conf.path}: SuspendExcNodes={text}: {error}",
            hints=["write for example cn[01-10]:4,login1"]) from error
    return text


def _excepted_states(conf: Config) -> list[str]:
    """SuspendExcStates in large letters. ConfigError for a word that is none."""
    words = [word.upper() for word in conf.words("SuspendExcStates")]
    for word in words:
        if word not in saving.EXCEPTED_STATES:
            raise ConfigError(message=f"{conf.path}: SuspendExcStates={word}", hints=[f"valid: {', '.join(saving.EXCEPTED_STATES)}"])
    return words


def spec_cores_first(conf: Config) -> bool:
    """Whether the first cores of a node are set aside and not the last (SchedulerParameters=spec_cores_first)."""
    return "spec_cores_first" in conf.options("SchedulerParameters")


def prolog_flags(conf: Config) -> list[str]:
    """PrologFlags in small letters and order, with what each implies.

    ConfigError for what cannot be together.
    """
    flags = {word.lower() for word in conf.words("PrologFlags")} - {"none"}
    if flags & {"x11", "runinjob"}:
        flags.add("contain")
    if flags & {"contain", "deferbatch"}:
        flags.add("alloc")
    if {"nohold", "contain"} <= flags:
        raise ConfigError(message=f"{conf.path}: PrologFlags=NoHold and Contain cannot be combined")
    return sorted(flags)


def scripts_of(conf: Config) -> ControllerScripts:
    """PrologSlurmctld and EpilogSlurmctld: patterns of files, and the seconds that each of them may take (0: as long as it likes)."""
    folder = os.path.dirname(os.path.abspath(conf.path))
    return ControllerScripts({kind: programs.patterns(conf, f"{kind.title()}Slurmctld") for kind in ("prolog", "epilog")}, folder,
                             {kind: programs.time_out(conf, kind) for kind in ("prolog", "epilog")})


def enforcement(words: Iterable[str]) -> list[str]:
    """AccountingStorageEnforce with what each word implies, in small letters and order."""
    wanted = {word.lower() for word in words} - {"none", "0"}
    if "all" in wanted:
        wanted = wanted - {"all"} | {"associations", "limits", "qos", "safe", "wckeys"}
    if "safe" in wanted:
        wanted.add("limits")
    if wanted & {"limits", "qos", "wckeys"}:
        wanted.add("associations")
    return sorted(wanted)


def records_leave(conf: Config) -> bool:
    """Whether records of jobs, steps and nodes go to a slurmdbd: AccountingStorageType=accounting_storage/slurmdbd."""
    return conf.text("AccountingStorageType").lower().rpartition("/")[2] == "slurmdbd"


def _switch_seconds(conf: Config, key: str, switch: str) -> int | None:
    """The seconds of a switch such as requeue_unproven=600, None where it is not written; ConfigError for anything but a number."""
    text = conf.options(key).get(switch)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > MAX_SECONDS_DIGITS:
        raise ConfigError(message=f"{conf.path}: {key}={switch}={text} is no number of seconds", hints=[f"write for example {switch}=600"])
    return int(text)


def _licenses(conf: Config) -> dict[str, int]:
    """Licenses, name → how many there are; ConfigError for a text that does not say so."""
    try:
        return licenses.parse_totals(conf.text("Licenses"))
    except NotationError as error:
        raise ConfigError(message=f"{conf.path}: Licenses={conf.text('Licenses')}: {error.message}") from error


def _scheduler_number(conf: Config, key: str, otherwise: int) -> int:
    """The number of a switch of SchedulerParameters, `otherwise` where it is not written; ConfigError for anything that is out of its
    bounds."""
    text = conf.options("SchedulerParameters").get(key)
    if text is None:
        return otherwise
    least = _LEAST.get(key, 0)
    if not text.removeprefix("-" if least < 0 else "").isdecimal() or len(text) > MAX_SECONDS_DIGITS + 1 or int(text) < least:
        raise ConfigError(
            message=f"{conf.path}: SchedulerParameters={key}={text} is no number of {least} or more",
            hints=[f"write for example {key}={max(otherwise, least)}"])
    return int(text)


_LEAST = {"bf_interval": -1, "sched_interval": -1, "bf_resolution": 1, "bf_window": 1}
"""Switches of SchedulerParameters whose least number is not 0; -1 switches off."""


def programs_of(conf: Config) -> Programs:
    """What is run to get the proof that a silent node runs nothing; RebootProgram only where the controller may run it."""
    reboots = "reboot_from_controller" in conf.words("SlurmctldParameters")
    return Programs(
        fence=conf.text("FenceProgram"), reboot=conf.text("RebootProgram") if reboots else "", seconds=conf.seconds("FenceProgramTimeout"))


def switching_of(conf: Config) -> Switching:
    """What is run to switch nodes off and on; RebootProgram only where the controller may run it."""
    reboots = "reboot_from_controller" in conf.words("SlurmctldParameters")
    return Switching(conf.text("SuspendProgram"), conf.text("ResumeProgram"), conf.text("ResumeFailProgram"),
        conf.text("RebootProgram") if reboots else "")


def risks(conf: Config) -> list[str]:
    """One sentence for each setting that gives up a promise."""
    found = []
    seconds = _switch_seconds(conf, "SlurmctldParameters", "requeue_unproven")
    if seconds is not None:
        found.append(
            f"SlurmctldParameters=requeue_unproven={seconds}: a job of a node that is not heard of starts again after {seconds} s without "
            "proof that "
            "it is over there; where only the network failed it then runs twice at once")
    lease = _switch_seconds(conf, "SlurmdParameters", "fence_timeout")
    if lease:
        found.append(
            f"SlurmdParameters=fence_timeout={lease}: nodes end jobs that may be requeued {lease} s after they last heard of a slurmctld "
            "that serves; "
            "a stopped slurmstepd or a paused machine cannot keep to that")
    return found


def exit_codes(conf: Config, key: str) -> list[int]:
    """The exit codes of RequeueExit or RequeueExitHold, such as 142 or 1-3; ConfigError for anything else."""
    codes: list[int] = []
    for word in conf.words(key):
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or not 0 < int(first) <= int(last or first) < 256:
            raise ConfigError(message=f"{conf.path}: {key}={word} is no exit code",
                hints=["write codes of 1 to 255 such as 142, or 1-3,142"])
        codes.extend(range(int(first), int(last or first) + 1))
    return codes


def credential_lifetime(conf: Config) -> float:
    """Seconds for which a step credential may start its step: cred_expire of AuthInfo. ConfigError."""
    text = conf.options("AuthInfo").get("cred_expire", "")
    if not text:
        return LIFETIME
    if not text.isascii() or not text.isdigit() or not 5 <= int(text) <= LONGEST_LIFETIME:
        raise ConfigError(message=f"{conf.path}: AuthInfo=cred_expire={text} is no number of seconds from 5 to {LONGEST_LIFETIME:.0f}")
    return float(text)


def operators(conf: Config) -> list[int]:
    """Uids besides root that administrate: SlurmUser, and whoever runs this daemon. ConfigError for a user that is none."""
    return sorted({os.getuid(), account_of(conf).uid} - {0})


def account_of(conf: Config) -> Account:
    """SlurmUser. ConfigError for a user that is none or cannot be looked up."""
    return find(conf.text("SlurmUser") or "root", "SlurmUser")


def needs_restart(before: Config, after: Config) -> list[str]:
    """One sentence for each change that only a restart of slurmctld takes up."""
    return [f"{key} was changed in {after.path}: slurmctld must be restarted to take it up"
            for key in RESTART_KEYS if before.all_of(key) != after.all_of(key)]


def left_out(conf: Config) -> list[str]:
    """One sentence for each node resource that is configured and cannot be given to jobs."""
    found: dict[str, str] = {}
    for node in conf.nodes:
        for device in conf.devices(node.name):
            if device.count > MAX_DEVICES:
                found.setdefault(device.name, (
                    f"Gres={device.name}:{device.count} of node {node.name}: more than {MAX_DEVICES} of a kind on a node is not supported "
                    "by slurm-py "
                    "yet; jobs cannot ask for it"))
    return list(found.values())


def _cpus_of(node: Node, cores: Iterable[int]) -> CpuSet:
    """The CPUs of these cores."""
    return CpuSet.of({core * node.threads + i for core in cores for i in range(node.threads)})


def node_of(conf: NodeConf, devices: list[GresDevice], position: int, *, spec_first: bool = False, switched: bool = False) -> Node:
    """A node as configured; nobody has heard of it yet. One of State=CLOUD is off where ResumeProgram can switch it on (`switched`)."""
    words = conf.state.upper()
    state = NodeState.DOWN if "DOWN" in words else NodeState.FUTURE if "FUTURE" in words else NodeState.UNKNOWN
    node = Node(
        name=NodeName(conf.name), address=conf.addr, hostname=conf.hostname, port=conf.port, boards=conf.boards, sockets=conf.sockets,
        cores_per_socket=conf.cores_per_socket, threads_per_core=conf.threads_per_core, cpus=conf.cpus, memory=conf.real_memory,
        tmp_disk=conf.tmp_disk, weight=conf.weight, features=list(conf.features), gres=pools_of(devices), position=position, state=state,
        drain="DRAIN" in words, reason=conf.reason, spec_memory=conf.mem_spec)
    node.cloud = "CLOUD" in words
    if node.cloud and switched:
        node.state, node.power = NodeState.IDLE, Power.OFF
    node.spec_cpus = _cpus_of(node, {cpu // node.threads for cpu in conf.cpu_spec})
    for pool in node.gres:
        if pool.cores.end <= node.cpus // node.threads:  # else CPU numbers were written
            pool.cores = _cpus_of(node, pool.cores)
    node.spec_cpus = node.spec_cpus or node.aside(conf.core_spec, lowest_first=spec_first)
    node.spec_cores = len(node.spec_cpus) // node.threads
    return node


def partition_of(conf: PartitionConf, position: int) -> Partition:
    """A partition as configured."""
    same = {name: getattr(conf, name) for name in conf._fields if name in Partition.__struct_fields__ and name != "nodes"}
    return Partition(**same, nodes=[NodeName(name) for name in conf.nodes], exclusive="USER" if conf.exclusive_user else "NO",
        position=position)
