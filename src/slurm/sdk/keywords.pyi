"""The keywords of @task as a type, for editors and type checkers. Nothing runs by it: `options` checks against the option table.

One line an option of `options.rows()`, in its order; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

Flag = bool | None
Number = int | str | None
Time = timedelta | int | str | None
Moment = datetime | str | None
Texts = str | int | os.PathLike[str] | Sequence[str] | None
Choice = str | bool | None


class SbatchKeywords(TypedDict, total=False):
    """Options of sbatch by keyword, then the names that people write for some of them, then the SDK's own."""

    account: Texts
    comment: Texts
    extra: Texts
    job_name: Texts
    licenses: Texts
    partition: Texts
    qos: Texts
    reservation: Texts
    wckey: Texts
    nodes: Number
    ntasks: Number
    cpus_per_task: Number
    ntasks_per_node: Number
    ntasks_per_socket: Number
    ntasks_per_core: Number
    ntasks_per_gpu: Number
    mincpus: Number
    sockets_per_node: Number
    cores_per_socket: Number
    threads_per_core: Number
    extra_node_info: Texts
    hint: Texts
    mem: Number
    mem_per_cpu: Number
    mem_per_gpu: Number
    tmp: Number
    gres: Texts
    gpus: Number
    gpus_per_node: Number
    gpus_per_socket: Number
    gpus_per_task: Number
    cpus_per_gpu: Number
    tres_per_task: Texts
    gpu_bind: Texts
    tres_bind: Texts
    core_spec: Number
    thread_spec: Number
    constraint: Texts
    prefer: Texts
    nodelist: Texts
    nodefile: Texts
    exclude: Texts
    contiguous: Flag
    switches: Number
    segment: Number
    spread_segments: Flag
    consolidate_segments: Flag
    exclusive: Choice
    oversubscribe: Flag
    overcommit: Flag
    spread_job: Flag
    use_min_nodes: Flag
    distribution: Texts
    time: Time
    time_min: Time
    begin: Moment
    deadline: Moment
    dependency: Texts
    hold: Flag
    priority: Number
    nice: Number
    kill_on_invalid_dep: Choice
    requeue: Choice
    no_requeue: Flag
    no_kill: Choice
    signal: Texts
    chdir: Texts
    input: Texts
    output: Texts
    error: Texts
    open_mode: Texts
    mail_type: Texts
    mail_user: Texts
    acctg_freq: Texts
    delay_boot: Texts
    network: Texts
    power: Texts
    stepmgr: Flag
    wait_all_nodes: Number
    gres_flags: Texts
    mem_bind: Texts
    profile: Texts
    cpu_freq: Texts
    gpu_freq: Texts
    batch: Texts
    bb: Texts
    bbf: Texts
    cluster_constraint: Texts
    clusters: Texts
    container: Texts
    container_id: Texts
    gid: Texts
    mcs_label: Texts
    mem_update: Texts
    oom_kill_step: Choice
    reboot: Flag
    resources: Texts
    resv_ports: Flag
    runtime: Texts
    uid: Texts
    export: Choice
    export_file: Texts
    propagate: Choice
    ignore_pbs: Flag
    get_user_env: Choice
    container_image: Texts
    container_mounts: Texts
    container_workdir: Texts
    container_name: Texts
    container_save: Texts
    container_mount_home: Flag
    no_container_mount_home: Flag
    container_remap_root: Flag
    no_container_remap_root: Flag
    container_entrypoint: Flag
    no_container_entrypoint: Flag
    container_entrypoint_log: Flag
    container_env: Texts
    container_writable: Flag
    container_readonly: Flag

    memory: Number
    name: Texts
    timeout: Time
    cpus: Number

    packaging: str | Mapping[str, object] | None
    packaging_python_executable: str | Sequence[str]
    packaging_python_version: str
    packaging_build_tool: str
    packaging_extra_index_url: str | Sequence[str]
    packaging_extras: str | Sequence[str]
    packaging_dependencies: str | Sequence[str]
    packaging_upgrade_pip: bool
    packaging_install: str
    packaging_image: str
    packaging_runtime: str
    packaging_run_args: str | Sequence[str]
    packaging_srun_args: str | Sequence[str]
    packaging_mounts: str | Sequence[str | Mapping[str, object]]
    packaging_mount_job_dir: bool
    packaging_workdir: str
    packaging_env: Mapping[str, str]
    packaging_modules: str | Sequence[str]
    packaging_dockerfile: str
    packaging_context: str
    packaging_name: str
    packaging_tag: str
    packaging_registry: str
    packaging_platform: str
    packaging_build_args: Mapping[str, str]
    packaging_build_secrets: str | Sequence[str | Mapping[str, object]]
    packaging_no_cache: bool
    packaging_push: bool
    packaging_tls_verify: bool
    packaging_use_digest: bool
    cache: bool | str | os.PathLike[str] | None
    cache_version: object
    cache_ignore: str | Sequence[str] | None
    retries: int | None
    retry_on: str | type[BaseException] | Sequence[str | type[BaseException]] | None
    retry_delay: float | timedelta | None
    retry_backoff: float | None
    retry_memory: float | None
    retry_time: float | None
