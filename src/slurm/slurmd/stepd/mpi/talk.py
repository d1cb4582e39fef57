"""One task's requests and their answers: PMI1 and PMI2 say what each means. Pure: bytes come in, `answer` takes bytes.

Spawning and names that are published are refused, each with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slurm.slurmd.stepd.mpi.group import LONGEST_KEY, LONGEST_NAME, LONGEST_VALUE, Group, Refused
from slurm.slurmd.stepd.mpi.notation import Buffer, Malformed, Request, line, packet

NO_SPAWN = "slurm-py starts no further tasks for MPI_Comm_spawn: ask for all of them at the start"
NO_NAMES = "slurm-py publishes no service names"
NOT_SPAWNED = "this program was not started by another MPI program"
_ABORTED = "its tasks were aborted"


class Talk:
    """The requests of one task. `take` raises Malformed for what is no request, after which nothing more of it can be understood."""

    def __init__(self, rank: int, group: Group, answer: Callable[[bytes], None]) -> None:
        self.rank = rank
        self.group = group
        self.answer = answer
        self.finished = False
        self.begun = False
        self._buffer = Buffer()
        self._table: Mapping[str, Callable[[Talk, Request], None]] = {"init": _init}

    def take(self, data: bytes) -> None:
        """Take what came and answer it. Malformed."""
        self._buffer.feed(data)
        while not self.finished and (request := self._buffer.take()) is not None:
            handle = self._table.get(request.name)
            if handle is not None:
                handle(self, request)
            elif self._buffer.packets:
                self.reply(request, rc=1, errmsg=f"slurm-py does not know the command {request.name[:LONGEST_KEY]}")
            else:
                raise Malformed(f"the unknown command {request.name[:LONGEST_KEY]!r}" if self.begun else "something before cmd=init")

    def begin(self, version: int) -> None:
        """The first request has said which protocol follows."""
        self.begun = True
        self._buffer.packets = version > 1
        self._table = PMI2 if version > 1 else PMI1

    def say(self, name: str, **fields: object) -> None:
        """Answer in PMI-1's notation."""
        self.answer(line(name, fields.items()))

    def reply(self, request: Request, **fields: object) -> None:
        """Answer in PMI-2's notation; `fields` with _ for -. A thread that asked gets its answer by its number."""
        thread = request.get("thrid", "")
        told = [(key.replace("_", "-"), value) for key, value in fields.items()]
        self.answer(packet(f"{request.name}-response", [*([("thrid", thread)] if thread else []), *told]))


def _init(talk: Talk, request: Request) -> None:
    version = request.number("pmi_version")
    if version not in (1, 2):
        talk.say("response_to_init", pmi_version=2, pmi_subversion=0, rc=-1)
        return
    talk.begin(version)
    talk.say("response_to_init", pmi_version=version, pmi_subversion=1 if version == 1 else 0, rc=0)


# --- PMI-1 ----------------------------------------------------------------------------------------------------------------


def _maxes(talk: Talk, _request: Request) -> None:
    talk.say("maxes", kvsname_max=LONGEST_NAME, keylen_max=LONGEST_KEY, vallen_max=LONGEST_VALUE)


def _put(talk: Talk, request: Request) -> None:
    try:
        talk.group.put(request.get("key"), request.get("value"))
    except Refused as error:
        talk.say("put_result", rc=-1, msg=_word(str(error)))
    else:
        talk.say("put_result", rc=0, msg="success")


def _get(talk: Talk, request: Request) -> None:
    value = talk.group.find(request.get("key"))
    if value is None:
        talk.say("get_result", rc=-1, msg=f"key_{_word(request.get('key'))}_not_found", value="unknown")
    else:
        talk.say("get_result", rc=0, msg="success", value=value)


def _barrier(talk: Talk, _request: Request) -> None:
    talk.group.arrive(talk.rank, lambda: talk.say("barrier_out", rc=0))


def _finalize(talk: Talk, _request: Request) -> None:
    talk.say("finalize_ack", rc=0)
    talk.finished = True


def _abort(talk: Talk, request: Request) -> None:
    talk.finished = True
    talk.group.abort(talk.rank, request.number("exitcode", "1"), request.get("error_msg", ""))


def _refuse(name: str, sentence: str) -> Callable[[Talk, Request], None]:
    return lambda talk, _request: talk.say(name, rc=-1, msg=_word(sentence))


def _word(sentence: str) -> str:
    """A sentence where a blank would end it."""
    return sentence.replace(" ", "_").replace("\n", "_")


PMI1: Mapping[str, Callable[[Talk, Request], None]] = {
    "get_maxes": _maxes,
    "get_appnum": lambda talk, _request: talk.say("appnum", appnum=0),
    "get_my_kvsname": lambda talk, _request: talk.say("my_kvsname", kvsname=talk.group.facts.name),
    "get_universe_size": lambda talk, _request: talk.say("universe_size", size=talk.group.size),
    "put": _put,
    "get": _get,
    "barrier_in": _barrier,
    "finalize": _finalize,
    "abort": _abort,
    "spawn": _refuse("spawn_result", NO_SPAWN),
    "publish_name": _refuse("publish_result", NO_NAMES),
    "unpublish_name": _refuse("unpublish_result", NO_NAMES),
    "lookup_name": _refuse("lookup_result", NO_NAMES),
}


# --- PMI-2 ----------------------------------------------------------------------------------------------------------------


def _full_init(talk: Talk, request: Request) -> None:
    if request.number("pmirank", str(talk.rank)) != talk.rank:
        raise Malformed("fullinit with the rank of another task")
    talk.reply(request, pmi_version=2, pmi_subversion=0, rank=talk.rank, size=talk.group.size, appnum=0, debugged="FALSE",
        pmiverbose="FALSE", rc=0)


def _kvs_put(talk: Talk, request: Request) -> None:
    _put_by(talk, request, talk.group.put)


def _put_by(talk: Talk, request: Request, put: Callable[[str, str], None]) -> None:
    try:
        put(request.get("key"), request.get("value"))
    except Refused as error:
        talk.reply(request, rc=1, errmsg=error)
    else:
        talk.reply(request, rc=0)


def _kvs_get(talk: Talk, request: Request) -> None:
    if request.get("jobid", "") not in ("", talk.group.facts.name):
        talk.reply(request, rc=1, errmsg="values of other jobs are not told")
        return
    _tell(talk, request, talk.group.find(request.get("key")))


def _tell(talk: Talk, request: Request, value: str | None) -> None:
    if value is None:
        talk.reply(request, found="FALSE", rc=0)
    else:
        talk.reply(request, found="TRUE", value=value, rc=0)


def _kvs_fence(talk: Talk, request: Request) -> None:
    talk.group.arrive(talk.rank, lambda: talk.reply(request, rc=0))


def _job_attribute(talk: Talk, request: Request) -> None:
    key = request.get("key")
    _tell(talk, request, str(talk.group.size) if key == "universeSize" else talk.group.find(key) if key == "PMI_process_mapping" else None)


def _put_node_attribute(talk: Talk, request: Request) -> None:
    _put_by(talk, request, talk.group.put_attribute)


def _node_attribute(talk: Talk, request: Request) -> None:
    key = request.get("key")
    value = talk.group.attributes.get(key)
    if value is None and request.get("wait", "FALSE") == "TRUE":
        thread = request.get("thrid", "")
        if len(thread) > LONGEST_KEY:
            raise Malformed(f"{request.name}: thrid has at most {LONGEST_KEY} characters")
        asked = Request(request.name, {"thrid": thread} if thread else {})  # all that is kept of a request that waits
        talk.group.await_attribute(key, lambda put: _tell(talk, asked, put))
    else:
        _tell(talk, request, value)


def _finish(talk: Talk, request: Request) -> None:
    talk.reply(request, rc=0)
    talk.finished = True


def _abort_with_words(talk: Talk, request: Request) -> None:
    talk.finished = True
    talk.group.abort(talk.rank, 1, request.get("msg", _ABORTED))


def _refuse_with(sentence: str) -> Callable[[Talk, Request], None]:
    return lambda talk, request: talk.reply(request, rc=1, errmsg=sentence)


PMI2: Mapping[str, Callable[[Talk, Request], None]] = {
    "fullinit": _full_init,
    "kvs-put": _kvs_put,
    "kvs-get": _kvs_get,
    "kvs-fence": _kvs_fence,
    "info-getjobattr": _job_attribute,
    "info-putnodeattr": _put_node_attribute,
    "info-getnodeattr": _node_attribute,
    "job-getid": lambda talk, request: talk.reply(request, jobid=talk.group.facts.name, rc=0),
    "job-connect": _refuse_with(NOT_SPAWNED),
    "job-disconnect": _refuse_with(NOT_SPAWNED),
    "name-publish": _refuse_with(NO_NAMES),
    "name-unpublish": _refuse_with(NO_NAMES),
    "name-lookup": _refuse_with(NO_NAMES),
    "spawn": _refuse_with(NO_SPAWN),
    "finalize": _finish,
    "abort": _abort_with_words,
}
