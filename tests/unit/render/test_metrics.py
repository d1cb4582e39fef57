"""Numbers for Prometheus: readable by its own parser, the same as in the queue, and under the names that Slurm's dashboards ask for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from slurm.core.cluster import Cluster
from slurm.model.statistics import RequestCount, Statistics
from slurm.render import metrics, metrics_of_daemons, openmetrics
from slurm.render.openmetrics import Family
from slurm.render.view import View
from slurm.testing import builders

DASHBOARD = Path(__file__).resolve().parents[3] / "examples" / "grafana-dashboard.json"


def read(families: list[Family]) -> dict[tuple[str, str], float]:
    """Samples by name and label, as Prometheus reads them."""
    found: dict[tuple[str, str], float] = {}
    for family in parse(openmetrics.text(families)):
        for sample in family.samples:
            found[sample.name, next(iter(sample.labels.values()), "")] = sample.value
    return found


def view_of(of: Cluster) -> View:
    return View(settings=of.settings, nodes=of.nodes, partitions=of.partitions, jobs=of.jobs, now=builders.T0)


@pytest.fixture
def cluster() -> Cluster:
    """Two jobs run, six tasks wait, one job is held, one has ended; a node is drained."""
    found = builders.cluster(4, cpus=16, gpus=2)
    builders.started(found, "cn01", ntasks=1)
    builders.finish(found, builders.started(found, "cn02"))
    builders.started(found, "cn01")
    builders.submit(found, array="1-6")
    builders.submit(found, hold=True)
    found.nodes[next(reversed(found.nodes))].drain = True
    return found


def test_jobs_are_counted_by_state_array_tasks_singly(cluster: Cluster) -> None:
    found = read(metrics.jobs(view_of(cluster)))
    assert {name: found[f"slurm_jobs_{name}", ""] for name in ("running", "pending", "hold", "completed", "finished", "started")} == {
        "running": 2, "pending": 7, "hold": 1, "completed": 1, "finished": 1, "started": 3}
    assert found["slurm_jobs", ""] == 10
    assert found["slurm_jobs_cpus_alloc", ""] == sum(job.allocation.cpu_count for job in cluster.active.values() if job.allocation)
    assert found["slurm_jobs_bootfail", ""] == 0


def test_jobs_of_a_partition_a_user_and_an_account_add_up(cluster: Cluster) -> None:
    by_partition, by_user = read(metrics.partitions(view_of(cluster))), read(metrics.of_users_and_accounts(view_of(cluster)))
    (partition,) = cluster.partitions
    assert by_partition["slurm_partition_jobs_pending", partition] == 7
    assert by_partition["slurm_partition_jobs", partition] == 10
    assert by_partition["slurm_partition_nodes", partition] == 4
    assert by_partition["slurm_partition_cpus", partition] == 64
    assert sum(value for (name, _), value in by_user.items() if name == "slurm_user_jobs_running") == 2


def test_nodes_tell_what_they_have_and_how_they_are(cluster: Cluster) -> None:
    found = read(metrics.nodes(view_of(cluster)))
    assert found["slurm_nodes", ""] == 4
    assert (found["slurm_nodes_mixed", ""], found["slurm_nodes_drained", ""], found["slurm_nodes_draining", ""]) == (1, 1, 0)
    assert found["slurm_node_cpus_alloc", "cn01"] == len(cluster.nodes[next(iter(cluster.nodes))].cpus_used)
    assert found["slurm_node_gpus", "cn01"] == 2
    assert found["slurm_node_memory_bytes", "cn01"] == 64000 * 1024 * 1024


def test_the_planners_counters_are_sdiags() -> None:
    found = read(metrics_of_daemons.scheduler(Statistics(
        req_time=10.0, req_time_start=0.0, schedule_cycle_total=4, schedule_cycle_sum=1000, bf_exit={"bf_max_time": 3})))
    assert (found["slurm_sched_mean_cycle", ""], found["slurm_bf_exit_timeout", ""], found["slurm_bf_mean_cycle", ""]) == (250, 3, 0)


def test_daemons_tell_of_their_requests_and_processes() -> None:
    counted = Statistics(req_time=1.0, req_time_start=0.0, rpcs_by_message_type=[RequestCount("REQUEST_PING", 1008, 5, 2_000_000)])
    found = read(metrics_of_daemons.slurmctld(counted, {"cpu_seconds": 1.5, "journal_sequence": 7.0, "open_fds": 20.0}))
    assert found["slurmctld_request_seconds_total", "REQUEST_PING"] == 2
    assert (found["slurmctld_process_cpu_seconds_total", ""], found["slurmctld_journal_sequence", ""]) == (1.5, 7)
    rest = read(metrics_of_daemons.slurmrestd({("GET", "200"): (3, 0.5)}, 9, 1, {}))
    assert (rest["slurmrestd_requests_total", "GET"], rest["slurmrestd_listeners", ""]) == (3, 9)
    assert read(metrics_of_daemons.slurmdbd(1.0, {"FindJobs": (2, 0.1)}, {"lab hour": (1, 2.0)}))["slurmdbd_rollups_total", "lab hour"] == 1


def test_what_users_choose_cannot_break_out_of_a_label() -> None:
    nasty = 'a"} 1\nslurm_jobs 99\\'
    (family,) = parse(openmetrics.text([openmetrics.by("user", "slurm_x", "help", {nasty: 1})]))
    assert family.samples[0].labels == {"user": nasty}


def test_the_dashboard_asks_for_metrics_that_there_are(cluster: Cluster) -> None:
    text = DASHBOARD.read_text()
    assert json.loads(text)["panels"]
    view = view_of(cluster)
    known = {name for of in (metrics.jobs(view), metrics.nodes(view), metrics.partitions(view), metrics.of_users_and_accounts(view),
        metrics_of_daemons.scheduler(Statistics(req_time=1.0, req_time_start=0.0)), metrics_of_daemons.slurmctld(
            Statistics(req_time=1.0, req_time_start=0.0), {"resident_memory_bytes": 1.0, "cpu_seconds": 1.0, "journal_stalled": 0.0, "followers": 0.0}))
        for name, *_ in of}
    asked = {name.removesuffix("_total") for name in re.findall(r"\bslurm[a-z]*_[a-z0-9_]+", " ".join(re.findall(r'"expr": "(.*?[^\\])"', text)))}
    assert asked
    assert asked <= known, sorted(asked - known)
