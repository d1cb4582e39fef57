from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, Unpack, overload

from slurm.sdk.keywords import SbatchKeywords
from slurm.sdk.tasks import SlurmTask, WorkflowTask
from slurm.sdk.workflow import WorkflowContext

P = ParamSpec("P")
T = TypeVar("T")

@overload
def task(func: Callable[P, T], **options: Unpack[SbatchKeywords]) -> SlurmTask[P, T]: ...
@overload
def task(func: None = None, **options: Unpack[SbatchKeywords]) -> Callable[[Callable[P, T]], SlurmTask[P, T]]: ...
@overload
def workflow(func: Callable[Concatenate[WorkflowContext, P], T], **options: Unpack[SbatchKeywords]) -> WorkflowTask[P, T]: ...
@overload
def workflow(func: Callable[P, T], **options: Unpack[SbatchKeywords]) -> WorkflowTask[P, T]: ...
@overload
def workflow(func: None = None, **options: Unpack[SbatchKeywords]) -> Callable[[Callable[..., T]], WorkflowTask[..., T]]: ...
