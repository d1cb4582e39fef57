"""The walk of docs/architecture.md: each file that it names is called while a real job goes from sbatch to its record, and in that order."""

import os
import re
import sys
from pathlib import Path

from tests.system.harness import SOURCE, Cluster

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
MOST_HOPS = 25
# Writes the moment at which each file of ours is first called, and 0 when it is loaded, a file for each process; all again once the byte of `epoch` has changed.
TRACER = """
import mmap, os, sys, threading, time
folder = os.environ.get("SLURM_TEST_WALK")
if folder:
    with open(folder + "/epoch", "rb") as file:
        epoch = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ)
    seen, current, source = set(), [b"0"], os.environ["SLURM_TEST_SOURCE"] + "/slurm/"
    def called(frame, event, argument):
        if epoch[:1] != current[0]:
            current[0] = epoch[:1]
            seen.clear()
        loaded = frame.f_code.co_name == "<module>"
        name = frame.f_code.co_filename
        if (loaded, name) in seen or not name.startswith(source):
            return
        seen.add((loaded, name))
        if loaded or current[0] != b"0":
            there = os.open(f"{folder}/{os.getpid()}.trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(there, f"{0 if loaded else time.monotonic_ns()} {name[len(source):]}\\n".encode())
            os.close(there)
    threading.setprofile(called)
    sys.setprofile(called)
"""


def hops() -> list[list[str]]:
    """The files that each numbered paragraph of the walk names."""
    section = PAGE.read_text(encoding="utf-8").split("## One submission's way through the files")[1].split("\n## ")[0]
    paragraphs = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
    return [re.findall(r"`([a-z_/]+\.py)`", paragraph) for paragraph in paragraphs]


def test_the_walk_is_short_and_names_each_file_once() -> None:
    found = hops()
    named = [name for hop in found for name in hop]
    assert 5 < len(found) <= MOST_HOPS
    assert sorted(named) == sorted(set(named))
    assert all((Path(SOURCE) / "slurm" / name).exists() for name in named)


def test_a_real_job_goes_the_way_that_the_architecture_tells(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (trace / "path").mkdir(parents=True)
    (trace / "path" / "sitecustomize.py").write_text(TRACER)
    (trace / "epoch").write_bytes(b"0")
    os.chmod(trace, 0o777)
    cluster = Cluster(tmp_path / "cluster", "--nodes", "1", environment={
        "PYTHONPATH": f"{trace / 'path'}{os.pathsep}{SOURCE}", "SLURM_TEST_WALK": str(trace), "SLURM_TEST_SOURCE": SOURCE})
    try:
        cluster.up()
        script = cluster.script("job.sh", "#!/bin/sh\n#SBATCH --mem=10\necho done\n")
        # It counts from sbatch's first line on: what the daemons still do of their own start meanwhile is not of this job.
        program = "import os, sys; from slurm.commands.sbatch import main; os.write(os.open(sys.argv.pop(1), os.O_WRONLY), b'1'); sys.exit(main())"
        told = cluster.ok(sys.executable, "-c", program, str(trace / "epoch"), "-o", "out", script)
        cluster.until_ended(told.split()[-1])
        cluster.until(lambda: "COMPLETED" in cluster.ok("sacct", "-n", "-X", "-j", told.split()[-1], "-o", "state"), why="no record of the job")
    finally:
        cluster.close()
    first: dict[str, int] = {}
    loaded = set()
    for file in trace.glob("*.trace"):
        for line in file.read_text().splitlines():
            moment, name = line.split(" ", 1)
            loaded.add(name)
            if moment != "0":
                first[name] = min(int(moment), first.get(name, int(moment)))
    found = hops()
    # A file of records alone, or of tables, is loaded, and nothing of it is called.
    missing = [f"{number}. {name}" for number, hop in enumerate(found, start=1) for name in hop if name not in loaded]
    assert not missing, f"named by the walk and not there: {missing}"
    begins = [first[hop[0]] for hop in found]
    order = [(begin - begins[0], hop) for begin, hop in zip(begins, found, strict=True)]
    assert begins == sorted(begins), "\n".join(f"{moment / 1e6:9.1f} ms {hop}" for moment, hop in order)
