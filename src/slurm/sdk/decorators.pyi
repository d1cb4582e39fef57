from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar, Unpack, overload

from slurm.sdk.inside.runtime import JobContext
from slurm.sdk.keywords import SbatchKeywords
from slurm.sdk.tasks import SlurmTask, WorkflowTask
from slurm.sdk.workflow import WorkflowContext

P = ParamSpec("P")
T = TypeVar("T")

class _Task(Protocol):
    @overload
    def __call__(self, func: Callable[Concatenate[JobContext, P], T], /) -> SlurmTask[P, T]: ...
    @overload
    def __call__(self, func: Callable[P, T], /) -> SlurmTask[P, T]: ...

class _Workflow(Protocol):
    @overload
    def __call__(self, func: Callable[Concatenate[WorkflowContext, P], T], /) -> WorkflowTask[P, T]: ...
    @overload
    def __call__(self, func: Callable[P, T], /) -> WorkflowTask[P, T]: ...

@overload
def task(func: Callable[Concatenate[JobContext, P], T], **options: Unpack[SbatchKeywords]) -> SlurmTask[P, T]: ...
@overload
def task(func: Callable[P, T], **options: Unpack[SbatchKeywords]) -> SlurmTask[P, T]: ...
@overload
def task(func: None = None, **options: Unpack[SbatchKeywords]) -> _Task: ...
@overload
def workflow(func: Callable[Concatenate[WorkflowContext, P], T], **options: Unpack[SbatchKeywords]) -> WorkflowTask[P, T]: ...
@overload
def workflow(func: Callable[P, T], **options: Unpack[SbatchKeywords]) -> WorkflowTask[P, T]: ...
@overload
def workflow(func: None = None, **options: Unpack[SbatchKeywords]) -> _Workflow: ...
