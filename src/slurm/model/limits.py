"""THE table of limits: which there are, over whom each counts, and Slurm's word for what a job met.

A limit stands at an association or a QOS. `span` says over whom it counts: `job` and `node` look at one job alone, `own` counts the jobs of
one association (a user in an account), `group` all below an association or all of a QOS, `user` and `account` those of one user or account
within a QOS. Here are no numbers and no counting: core.policy does that.
"""

from __future__ import annotations

from typing import NamedTuple

JOBS, SUBMITTED, ACCRUING, WALL, TRES, TRES_MINUTES, TRES_RUN_MINUTES, MIN_TRES, MIN_PRIORITY = (
    "jobs", "submitted", "accruing", "wall", "tres", "tres minutes", "running tres minutes", "least tres", "least priority")
ASSOCIATION, QOS = "association", "qos"
JOB, NODE, OWN, GROUP, USER, ACCOUNT = "job", "node", "own", "group", "user", "account"


class Limit(NamedTuple):
    """One row. `reason` has {} where the TRES stands; `also` are other names that sacctmgr takes, `short` its column's title."""

    at: str
    key: str
    span: str
    quantity: str
    reason: str
    short: str = ""
    also: tuple[str, ...] = ()


LIMITS: tuple[Limit, ...] = (
    Limit(ASSOCIATION, "GrpJobs", GROUP, JOBS, "AssocGrpJobsLimit"),
    Limit(ASSOCIATION, "GrpJobsAccrue", GROUP, ACCRUING, ""),
    Limit(ASSOCIATION, "GrpSubmitJobs", GROUP, SUBMITTED, "AssocGrpSubmitJobsLimit", "GrpSubmit", ("GrpSubmit",)),
    Limit(ASSOCIATION, "GrpWall", GROUP, WALL, "AssocGrpWallLimit"),
    Limit(ASSOCIATION, "GrpTRES", GROUP, TRES, "AssocGrp{}"),
    Limit(ASSOCIATION, "GrpTRESMins", GROUP, TRES_MINUTES, "AssocGrp{}"),
    Limit(ASSOCIATION, "GrpTRESRunMins", GROUP, TRES_RUN_MINUTES, "AssocGrp{}"),
    Limit(ASSOCIATION, "MaxJobs", OWN, JOBS, "AssocMaxJobsLimit"),
    Limit(ASSOCIATION, "MaxJobsAccrue", OWN, ACCRUING, ""),
    Limit(ASSOCIATION, "MaxSubmitJobs", OWN, SUBMITTED, "AssocMaxSubmitJobLimit", "MaxSubmit", ("MaxSubmit",)),
    Limit(ASSOCIATION, "MaxWallDurationPerJob", JOB, WALL, "AssocMaxWallDurationPerJobLimit", "MaxWall", ("MaxWall",)),
    Limit(ASSOCIATION, "MaxTRESPerJob", JOB, TRES, "AssocMax{}", "MaxTRES", ("MaxTRES",)),
    Limit(ASSOCIATION, "MaxTRESPerNode", NODE, TRES, "AssocMax{}"),
    Limit(ASSOCIATION, "MaxTRESMinsPerJob", JOB, TRES_MINUTES, "AssocMax{}", "MaxTRESMins", ("MaxTRESMins",)),
    Limit(ASSOCIATION, "MinPrioThreshold", JOB, MIN_PRIORITY, ""),
    Limit(QOS, "GrpJobs", GROUP, JOBS, "QOSGrpJobsLimit"),
    Limit(QOS, "GrpJobsAccrue", GROUP, ACCRUING, ""),
    Limit(QOS, "GrpSubmitJobs", GROUP, SUBMITTED, "QOSGrpSubmitJobsLimit", "GrpSubmit", ("GrpSubmit",)),
    Limit(QOS, "GrpWall", GROUP, WALL, "QOSGrpWallLimit"),
    Limit(QOS, "GrpTRES", GROUP, TRES, "QOSGrp{}"),
    Limit(QOS, "GrpTRESMins", GROUP, TRES_MINUTES, "QOSGrp{}"),
    Limit(QOS, "GrpTRESRunMins", GROUP, TRES_RUN_MINUTES, "QOSGrp{}"),
    Limit(QOS, "MaxJobsPerUser", USER, JOBS, "QOSMaxJobsPerUserLimit", "MaxJobsPU", ("MaxJobsPU", "MaxJobs")),
    Limit(QOS, "MaxJobsPerAccount", ACCOUNT, JOBS, "MaxJobsPerAccount", "MaxJobsPA", ("MaxJobsPA",)),
    Limit(QOS, "MaxJobsAccruePerUser", USER, ACCRUING, "", "MaxJobsAccruePU", ("MaxJobsAccruePU",)),
    Limit(QOS, "MaxJobsAccruePerAccount", ACCOUNT, ACCRUING, "", "MaxJobsAccruePA", ("MaxJobsAccruePA",)),
    Limit(QOS, "MaxSubmitJobsPerUser", USER, SUBMITTED, "QOSMaxSubmitJobPerUserLimit", "MaxSubmitPU",
    ("MaxSubmitPU", "MaxSubmitJobsPU", "MaxSubmitJobs")),
    Limit(QOS, "MaxSubmitJobsPerAccount", ACCOUNT, SUBMITTED, "MaxSubmitJobsPerAccount", "MaxSubmitPA", ("MaxSubmitPA", "MaxSubmitJobsPA")),
    Limit(QOS, "MaxWallDurationPerJob", JOB, WALL, "QOSMaxWallDurationPerJobLimit", "MaxWall", ("MaxWall",)),
    Limit(QOS, "MaxTRESPerJob", JOB, TRES, "QOSMax{}", "MaxTRES", ("MaxTRES",)),
    Limit(QOS, "MaxTRESPerNode", NODE, TRES, "QOSMax{}"),
    Limit(QOS, "MaxTRESPerUser", USER, TRES, "QOSMax{}", "MaxTRESPU", ("MaxTRESPU",)),
    Limit(QOS, "MaxTRESPerAccount", ACCOUNT, TRES, "Max{}", "MaxTRESPA", ("MaxTRESPA",)),
    Limit(QOS, "MaxTRESMinsPerJob", JOB, TRES_MINUTES, "QOSMax{}", "MaxTRESMins", ("MaxTRESMins",)),
    Limit(QOS, "MaxTRESRunMinsPerUser", USER, TRES_RUN_MINUTES, "QOSMax{}", "MaxTRESRunMinsPU", ("MaxTRESRunMinsPU",)),
    Limit(QOS, "MaxTRESRunMinsPerAccount", ACCOUNT, TRES_RUN_MINUTES, "Max{}", "MaxTRESRunMinsPA", ("MaxTRESRunMinsPA",)),
    Limit(QOS, "MinTRESPerJob", JOB, MIN_TRES, "QOSMin{}", "MinTRES", ("MinTRES",)),
    Limit(QOS, "MinPrioThreshold", JOB, MIN_PRIORITY, ""),
)
AT_ASSOCIATION = {limit.key: limit for limit in LIMITS if limit.at == ASSOCIATION}
AT_QOS = {limit.key: limit for limit in LIMITS if limit.at == QOS}

_WORDS = {"cpu": "Cpu", "mem": "Mem", "node": "Node", "energy": "Energy", "billing": "Billing", "gres": "GRES", "license": "License",
    "bb": "BB"}
_IRREGULAR = {
    # Slurm's words grew over the years; these are not as their neighbours are.
    ("AssocGrp{}", GROUP, TRES): {"Cpu": "AssocGrpCpuLimit", "Mem": "AssocGrpMemLimit", "Node": "AssocGrpNodeLimit"},
    ("QOSGrp{}", GROUP, TRES): {"Cpu": "QOSGrpCpuLimit", "Mem": "QOSGrpMemLimit", "Node": "QOSGrpNodeLimit"},
    ("AssocGrp{}", GROUP, TRES_MINUTES): {"Cpu": "AssocGrpCPUMinutesLimit"},
    ("AssocGrp{}", GROUP, TRES_RUN_MINUTES): {"Cpu": "AssocGrpCPURunMinutesLimit"},
    ("QOSGrp{}", GROUP, TRES_MINUTES): {"Cpu": "QOSGrpCPUMinutesLimit", "Mem": "QOSGrpMemoryMinutes"},
    ("QOSGrp{}", GROUP, TRES_RUN_MINUTES): {"Cpu": "QOSGrpCPURunMinutesLimit", "Mem": "QOSGrpMemoryRunMinutes"},
    ("AssocMax{}", JOB, TRES): {"Cpu": "AssocMaxCpuPerJobLimit", "Node": "AssocMaxNodePerJobLimit"},
    ("QOSMax{}", JOB, TRES): {"Cpu": "QOSMaxCpuPerJobLimit", "Node": "QOSMaxNodePerJobLimit", "Mem": "QOSMaxMemoryPerJob"},
    ("AssocMax{}", JOB, TRES_MINUTES): {"Cpu": "AssocMaxCpuMinutesPerJobLimit"},
    ("QOSMax{}", JOB, TRES_MINUTES): {"Cpu": "QOSMaxCpuMinutesPerJobLimit", "Mem": "QOSMaxMemoryMinutesPerJob"},
    ("QOSMax{}", NODE, TRES): {"Mem": "QOSMaxMemoryPerNode"},
    ("QOSMax{}", USER, TRES): {"Cpu": "QOSMaxCpuPerUserLimit", "Node": "QOSMaxNodePerUserLimit", "Mem": "QOSMaxMemoryPerUser"},
    ("Max{}", ACCOUNT, TRES): {"Mem": "MaxMemoryPerAccount"},
    ("QOSMin{}", JOB, MIN_TRES): {"Cpu": "QOSMinCpuNotSatisfied", "Mem": "QOSMinMemory"},
}
_SUFFIX = {
    (GROUP, TRES): "", (GROUP, TRES_MINUTES): "Minutes", (GROUP, TRES_RUN_MINUTES): "RunMinutes", (JOB, TRES): "PerJob",
    (NODE, TRES): "PerNode",
    (JOB, TRES_MINUTES): "MinutesPerJob", (USER, TRES): "PerUser", (ACCOUNT, TRES): "PerAccount", (JOB, MIN_TRES): "",
    (USER, TRES_RUN_MINUTES): "RunMinutesPerUser", (ACCOUNT, TRES_RUN_MINUTES): "RunMinutesPerAccount"}


def reason_of(limit: Limit, tres: str = "") -> str:
    """Slurm's reason code for a job that this limit keeps waiting: "QOSMaxCpuPerUserLimit", "AssocGrpGRES"."""
    if "{}" not in limit.reason:
        return limit.reason
    word = _WORDS.get(tres.partition("/")[0], "Unknown")
    irregular = _IRREGULAR.get((limit.reason, limit.span, limit.quantity), {}).get(word)
    return irregular or limit.reason.format(word) + _SUFFIX[limit.span, limit.quantity]
