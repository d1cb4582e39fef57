"""A controller and nodes that are played by threads, so that srun and salloc can be run as whole processes without daemons."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from slurm.net.framing import FrameBuffer
from slurm.wire import frames, step_io

SRC = Path(__file__).resolve().parents[3] / "src"
DEADLINE = 20.0


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class Talk:
    """One connection, seen from the daemon's side."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._buffer = FrameBuffer()
        stream.settimeout(DEADLINE)

    def frame(self) -> tuple[int, bytes] | None:
        """The next frame, None when the peer hung up."""
        while (found := self._buffer.take()) is None:
            try:
                data = self._stream.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._buffer.feed(data)
        return found

    def message(self) -> dict[str, Any] | None:
        """The next JSON object."""
        found = self.frame()
        return None if found is None else json.loads(found[1])

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a JSON object."""
        self._stream.sendall(frames.pack(frames.JSON, json.dumps(message).encode()))

    def step(self, kind: int, rank: int, data: bytes = b"") -> None:
        """Send a step message."""
        self._stream.sendall(frames.pack(frames.STEP_IO, step_io.pack(kind, rank, data)))

    def hang_up(self) -> None:
        """End the connection."""
        self._stream.shutdown(socket.SHUT_RDWR)


class NodeSide:
    """The slurmstepd of one node in a test's hands."""

    def __init__(self, talk: Talk, launch: dict[str, Any]) -> None:
        self._talk = talk
        self.launch = launch
        self.ranks: list[int] = launch["ranks"]

    def started(self) -> None:
        """All tasks run."""
        self._talk.step(step_io.STARTED, step_io.ALL_TASKS, json.dumps({"pids": {str(rank): 1 for rank in self.ranks}}).encode())

    def out(self, rank: int, data: bytes, kind: int = step_io.STDOUT) -> None:
        """Output of a task."""
        self._talk.step(kind, rank, data)

    def err(self, rank: int, data: bytes) -> None:
        """Error output of a task."""
        self.out(rank, data, step_io.STDERR)

    def exited(self, rank: int, status: int = 0, *, oom: bool = False) -> None:
        """A task ended with this wait status."""
        self._talk.step(step_io.EXITED, rank, json.dumps({"status": status, "oom": oom}).encode())

    def notice(self, line: str) -> None:
        """A line for srun's standard error."""
        self._talk.step(step_io.NOTICE, step_io.ALL_TASKS, line.encode())

    def aborted(self, why: str) -> None:
        """The step is ended from outside."""
        self._talk.step(step_io.ABORTED, step_io.ALL_TASKS, json.dumps({"why": why}).encode())

    def exchange(self, piece: bytes) -> None:
        """A piece of what MPI tasks exchange."""
        self._talk.step(step_io.EXCHANGE, step_io.ALL_TASKS, piece)

    def failed(self, message: str) -> None:
        """It cannot start here."""
        self._talk.step(step_io.FAILED, step_io.ALL_TASKS, json.dumps({"message": message, "name": "", "hints": []}).encode())
        self.vanish()

    def vanish(self) -> None:
        """The supervisor is gone without a word."""
        self._talk.hang_up()

    def done(self) -> None:
        """All tasks ended."""
        self._talk.step(step_io.DONE, step_io.ALL_TASKS)

    def end(self, status: int = 0) -> None:
        """Every task of the node ends alike, and so does the step here."""
        for rank in self.ranks:
            self.exited(rank, status)
        self.done()

    def heard(self) -> tuple[int, int, bytes] | None:
        """The next step message of srun, None when it hung up."""
        frame = self._talk.frame()
        return None if frame is None else step_io.unpack(frame[1])

    def order(self) -> dict[str, Any]:
        """The next SIGNAL of srun; what comes before it is passed over."""
        while (heard := self.heard()) is not None:
            if heard[0] == step_io.SIGNAL:
                return dict(json.loads(heard[2]))
        return {}

    def input(self, rank: int = step_io.ALL_TASKS) -> bytes:
        """Everything sent to a task's standard input until its end."""
        found = b""
        while (heard := self.heard()) is not None:
            if heard[0] == step_io.STDIN and heard[1] == rank:
                if not heard[2]:
                    break
                found += heard[2]
        return found


def completed(node: NodeSide) -> None:
    """A node whose tasks print their rank and end well."""
    node.started()
    for rank in node.ranks:
        node.out(rank, b"login1\n")
        node.out(rank, b"")
    node.end()


Script = Callable[[NodeSide], None]
Answer = Callable[[Talk, dict[str, Any]], None]


class FakeCluster:
    """Where `SLURM_CONF` leads. `layout` maps node → ranks of the step that is granted; `nodes` node → what happens there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout: dict[str, list[int]] = {"cn01": [0]}
        self.nodes: dict[str, Script] = {}
        self.answers: dict[str, Answer] = {"AllocateJob": self._allocate, "AttachAllocation": self._allocate, "CreateStep": self._create}
        self.requests: list[dict[str, Any]] = []
        self.job = 65
        self._listeners: list[socket.socket] = []
        (folder / "slurm.conf").write_text(f"ClusterName=test\nAuthType=auth/local\nSlurmctldPidFile={folder}/slurmctld.pid\n")

    def asked(self, kind: str) -> list[dict[str, Any]]:
        """The requests of one type, in their order."""
        return [request for request in self.requests if request["type"] == kind]

    def granted(self, **more: object) -> dict[str, Any]:
        """The Granted that goes with `layout`."""
        names = list(self.layout)
        return {
            "type": "Granted", "job_id": self.job, "nodes": "cn[01-02]" if len(names) > 1 else names[0], "node_names": names,
            "cpus_per_node": "1", "tasks_per_node": "1", "partition": "debug",
            "environment": {"SLURM_JOB_ID": str(self.job), "SLURM_JOB_NAME": "interactive"}, **more}

    def step_granted(self) -> dict[str, Any]:
        """The StepGranted that goes with `layout`."""
        layout = [
            {"node": node, "address": f"unix:{self.folder}/{node}.sock", "ranks": ranks, "cpus": len(ranks)}
            for node, ranks in self.layout.items()]
        return {
            "type": "StepGranted", "job_id": self.job, "attempt": 1, "step_id": 0, "layout": layout, "credential": "signed",
            "environment": {"SLURM_STEP_ID": "0", "SLURM_JOB_USER": "alice"}, "kill_wait": 5}

    def _allocate(self, talk: Talk, request: dict[str, Any]) -> None:
        talk.say(self.granted())

    def _create(self, talk: Talk, request: dict[str, Any]) -> None:
        talk.say(self.step_granted())

    def open(self) -> None:
        """Listen."""
        self.serve()
        for node in self.layout:
            self._listen(self.folder / f"{node}.sock", self._serve_node(self.nodes.get(node, completed)))

    def serve(self) -> socket.socket:
        """Have the controller listen, again perhaps."""
        return self._listen(self.folder / "slurmctld.sock", self._serve_controller)

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.close()

    def _listen(self, path: Path, serve: Callable[[Talk], None]) -> socket.socket:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(8)
        self._listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
        return listener

    def _serve_controller(self, talk: Talk) -> None:
        while (message := talk.message()) is not None:
            self.requests.append(message)
            answer = self.answers.get(message["type"])
            if answer is None:
                talk.say({"type": "Done"})
            else:
                answer(talk, message)

    def _serve_node(self, script: Script) -> Callable[[Talk], None]:
        def serve(talk: Talk) -> None:
            launch = talk.message()
            if launch is not None:
                self.requests.append(launch)
                script(NodeSide(talk, launch))
                while talk.frame() is not None:
                    continue

        return serve

    def start(self, *words: str, command: str = "srun", environ: Mapping[str, str] = {}, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a command in this cluster."""
        base = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SRUN", "SALLOC"))}
        environment = {**base, "PYTHONPATH": str(SRC), "SLURM_CONF": str(self.folder / "slurm.conf"), **environ}
        code = f"import sys; from slurm.commands.{command} import main; sys.argv[0] = {command!r}; sys.exit(main())"
        defaults: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.folder}
        return subprocess.Popen([sys.executable, "-c", code, *words], env=environment, **{**defaults, **popen})

    def run(self, *words: str, input: bytes | None = None, **more: Any) -> Ran:
        """Run a command in this cluster to its end."""
        if input is not None:
            more["stdin"] = subprocess.PIPE
        with self.start(*words, **more) as process:
            try:
                out, err = process.communicate(input, timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())


def _accept(listener: socket.socket, serve: Callable[[Talk], None]) -> None:
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(Talk(stream),), daemon=True).start()


@contextmanager
def fake_cluster(folder: Path, layout: Mapping[str, Sequence[int]] | None = None, **nodes: Script) -> Iterator[FakeCluster]:
    """A cluster that grants every step with this layout; `nodes` are the nodes' scripts."""
    cluster = FakeCluster(folder)
    if layout is not None:
        cluster.layout = {node: list(ranks) for node, ranks in layout.items()}
    cluster.nodes = nodes
    cluster.open()
    try:
        yield cluster
    finally:
        cluster.close()
