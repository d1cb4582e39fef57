"""The plug-ins of examples/plugins, run as a site runs them."""

from __future__ import annotations

import json
import shutil
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

from tests.system.harness import Cluster
from tests.system.test_notices import configure

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "plugins"


class Service(socketserver.ThreadingTCPServer):
    """The monitoring service: answers "busy" so often, then "ok"; `got` is what it took."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.got: list[dict[str, object]] = []
        super().__init__(("127.0.0.1", 0), _Line)


class _Line(socketserver.StreamRequestHandler):
    server: Service

    def handle(self) -> None:
        """One job."""
        line = json.loads(self.rfile.readline())
        if self.server.busy:
            self.server.busy -= 1
            self.wfile.write(b"busy\n")
        else:
            self.server.got.append(line)
            self.wfile.write(b"ok\n")


def plugins(cluster: Cluster, name: str) -> str:
    """A folder with one of the examples."""
    folder = cluster.root / "plugins"
    folder.mkdir(mode=0o755, exist_ok=True)
    shutil.copy(EXAMPLES / name, folder / name)
    (folder / name).chmod(0o644)
    return str(folder)


def test_lambda_metrics_gets_every_job_that_ended_once_though_it_was_busy(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G", "--gpus", "h100:2")
    cluster.up()
    with Service(busy=1) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        configure(cluster, f"PluginDir={plugins(cluster, 'jobcomp_lambda_metrics.py')}", "JobCompType=jobcomp/lambda_metrics",
                  "JobCompHost=127.0.0.1", f"JobCompPort={service.server_address[1]}")
        good, _ = cluster.finish("--gpus=1", "--wrap", "sleep 1")
        bad, _ = cluster.finish("--wrap", "exit 3")
        cluster.until(lambda: len(service.got) == 2, why="the service did not get both jobs")
        service.shutdown()
    first, second = service.got
    assert (str(first["job_id"]), first["state"], first["gpus"]) == (good, "COMPLETED", 1)
    assert (str(second["job_id"]), second["state"], second["exit_code"], second["gpus"]) == (bad, "FAILED", 3, 0)


def test_cloud_billing_refuses_moves_and_keeps_the_account(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G", "--gpus", "h100:2")
    cluster.up()
    configure(cluster, f"PluginDir={plugins(cluster, 'job_submit_lambda_cloud_billing.py')}", "JobSubmitPlugins=lambda_cloud_billing")
    refused = cluster.run("sbatch", "--gpus=1", "--wrap", "true")
    assert (refused.status, refused.out) == (1, "")
    assert "GPUs are billed, name an account with --account=PROJECT" in refused.err.splitlines()[0]
    assert refused.err.splitlines()[1] == "sbatch: error: Batch job submission failed: Unspecified error"
    assert "GPUs are billed" in cluster.run("srun", "--gpus=1", "true").err
    assert cluster.run("srun", "true").status == 0
    assert cluster.sbatch("--wrap", "true").isdigit()


FILTER = """
from slurm.plugins import Refused

def pre_submit(line, settings):
    if line.request.get("name") == "no":
        raise Refused("that name is taken")
    return {"comment": f"{line.command} {settings.CliFilterParameters}"}

def post_submit(line, settings):
    print("job", line.job_id, "is yours")
"""


def test_a_filter_sees_what_commands_ask_for_and_may_change_or_refuse_it(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--memory", "8G")
    cluster.up()
    folder = cluster.root / "plugins"
    folder.mkdir(mode=0o755)
    (folder / "cli_filter_site.py").write_text(FILTER)
    configure(cluster, f"PluginDir={folder}", "CliFilterPlugins=site", "CliFilterParameters=blue")
    result = cluster.run("sbatch", "--parsable", "--wrap", "true")
    assert f"job {result.out.strip()} is yours" in result.err
    assert cluster.show(result.out.strip())["Comment"] == "sbatch blue"
    refused = cluster.run("sbatch", "-J", "no", "--wrap", "true")
    assert (refused.status, refused.err.splitlines()[0]) == (1, "sbatch: error: that name is taken")
    assert cluster.run("srun", "-J", "no", "true").err.splitlines()[0] == "srun: error: that name is taken"
    (folder / "cli_filter_site.py").write_text("def pre_submit(line, settings):\n    raise SystemExit(0)\n")
    broken = cluster.run("sbatch", "--wrap", "true")
    assert broken.status == 1
    assert "a filter of this site failed: cli_filter/site: SystemExit: 0" in broken.err
