"""THE shape of the journal: what is written of each event and record, at which version. Memory's structs may look otherwise
(`differences`).

Whoever changes a line here raises VERSION and writes an upgrade (`upgrades`); docs/adding.md says how. A default that stands here is
  part of what was
written, for ever: it is not memory's.
"""

from __future__ import annotations

from slurm.journal.shape import parse

VERSION = 22

TEXT = r"""
StateRecord settings:Settings next_job_id:int last_place:int=0 recorded:int=0 out_of_service:[NodeEventRecord]=[]
  recorded_cluster:ClusterRecord|none=null half_life:float=0.0 lasting:[str]=[] usage_since:float=0.0 next_reservation:int=1
  next_trigger:int=1 epoch:int=0 leader:str=""
  staged:[Account|Association|Qos|Resource|User|Wckey]=[]
Node name:str address:str="" hostname:str="" port:int=6818 boards:int=1 sockets:int=1 cores_per_socket:int=1 threads_per_core:int=1
  cpus:int=1 memory:int=1 tmp_disk:int=0 weight:int=1 features:[str]=[] gres:[GresPool]=[] position:int=0 spec_cores:int=0
  spec_cpus:bytes="" spec_memory:int=0 state:str="unknown"
  drain:bool=false responding:bool=false reason:str="" reason_user:str="" reason_uid:int=0 reason_time:float=0.0 comment:str=""
  extra:str="" line:str="" by_slurmd:bool=false cloud:bool=false power:str="on" power_since:float=0.0 power_asked:str="" reboot:str=""
  reboot_since:float=0.0 reboot_next:str="" resume_after:float=0.0 registered:bool=false arch:str="" os:str="" version:str=""
  boot_time:float=0.0 boot_id:str="" slurmd_start_time:float=0.0
  last_busy_time:float=0.0 last_heard:float=0.0 cpu_load:float=0.0 free_memory:int=0 cpus_used:bytes="" memory_used:int=0
  gres_used:{str:bytes}={} jobs:[int]=[] completing:[int]=[] suspended:[int]=[] remains:[Remains]=[] exclusive_user:int=-1
Partition name:str nodes:[str]=[] nodes_text:str="" default:bool=false state:str="UP" max_time:int=-1 default_time:int|none=null
  over_time_limit:int|none=null max_nodes:int=-1 min_nodes:int=0 max_cpus_per_node:int=-1 max_cpus_per_socket:int=-1
  def_mem_per_cpu:int|none=null def_mem_per_node:int|none=null max_mem_per_cpu:int|none=null max_mem_per_node:int|none=null
  allow_groups:str="ALL" allow_accounts:str="ALL" deny_accounts:str="" allow_qos:str="ALL" deny_qos:str="" alloc_nodes:str="ALL"
  alternate:str="" qos:str="" priority_tier:int=1 priority_job_factor:int=1 oversubscribe:str="NO" exclusive:str="NO" hidden:bool=false
  root_only:bool=false disable_root_jobs:bool=false req_resv:bool=false lln:bool=false grace_time:int=0 preempt_mode:str=""
  tres_billing_weights:str="" job_defaults:str="" topology:str="" select_type:str="" suspend_time:int|none=null
  suspend_timeout:int|none=null
  resume_timeout:int|none=null power_down_on_idle:bool=false position:int=0
Reservation id:int name:str start:float end:float nodes:[str]=[] cpus:{str:bytes}={} cores:int=0 node_count:int=0 core_count:int=0
  partition:str="" features:str="" users:[str]=[] groups:[str]=[] members:[str]=[] accounts:[str]=[] qos:[str]=[] denied:[str]=[]
  flags:[str]=[] purge_after:int=0 max_start_delay:int=0 comment:str="" begun:bool=false idle_since:float=0.0
Job id:int owner:Owner association:int=0 key:str="" request:JobRequest payload:PayloadRef={} partition:str="" state:int=0 flags:[str]=[]
  reason:str="None" reason_text:str="" array_job:int=0 array_task:int|none=null array_part:ArrayPart|none=null priority:int=0 held:str=""
  dependency:[DependencyClause]=[] dependency_any:bool=false queue_place:int=0 submit_time:float=0.0 not_before:float=0.0
  eligible_time:float=0.0 accrue_time:float=0.0 start_time:float=0.0 end_time:float=0.0 resize_time:float=0.0 suspend_time:float=0.0
  suspended_seconds:float=0.0 suspended_by:str="" without_cpus:bool=false preempt_time:float=0.0 preempt_mode:str=""
  preempted_for:int=0 promise:Promise|none=null
  time_limit:int=-1 end_by:float=0.0 kill_at:float=0.0 attempt:int=0 restarts:int=0 allocation:Allocation|none=null batch_host:str=""
  nodes_left:[str]=[] lost:LostAttempt|none=null unproven:[str]=[] launched:bool=false requeue_after:bool=false hold_after:bool=false
  signalled:bool=false exit_status:int=0 derived_status:int=0 next_step:int=0 steps:{int:Step}={} last_node_failed:str="" lease:int=0
  preparing:[str]=[] epilog_due:bool=false cron:CronEntry|none=null het:[int]=[] memory_peak:int=0
CronEntry spec:str first_line:int=0 last_line:int=0 planned:float=0.0
Crontab uid:int user:str text:str jobs:[int]=[]
ArrayRecord id:int shape:ArrayPart started:int=0 done_well:[(int,int,int)]=[] done_badly:[(int,int,int)]=[]
PastKey uid:int key:str job:int at:float
PolicyRow record:Account|Association|Qos|Resource|User|Wckey
UsageRow key:int|str counters:{str:Counter}
Charge job:int keys:[int|str] amounts:{str:float}
Configured type:tag="Configured" settings:Settings nodes:[Node] partitions:[Partition] may_run:bool=false keeps:str="" at:float
Submitted type:tag="Submitted" job:Job components:[Job]=[] at:float
Eligible type:tag="Eligible" job:int at:float
Started type:tag="Started" job:int allocation:Allocation task:int|none=null started:int=0 time_limit:int|none=null components:[Start]=[]
  at:float
Start job:int allocation:Allocation
Launched type:tag="Launched" job:int attempt:int lease:int=0 at:float
LaunchFailed type:tag="LaunchFailed" job:int attempt:int node:str why:str at:float
Prepared type:tag="Prepared" job:int attempt:int node:str at:float
PreparationFailed type:tag="PreparationFailed" job:int attempt:int node:str why:str at:float
EpilogEnded type:tag="EpilogEnded" job:int attempt:int why:str="" at:float
BatchExited type:tag="BatchExited" job:int attempt:int status:int oom:bool=false limit:str="" why:str="" began:bool=true
  usage:Usage|none=null at:float
AllocationRelinquished type:tag="AllocationRelinquished" job:int status:int=0 at:float
NodeFreed type:tag="NodeFreed" job:int attempt:int node:str at:float
Warned type:tag="Warned" job:int attempt:int at:float
Stopped type:tag="Stopped" job:int attempt:int stopped:bool at:float
Suspended type:tag="Suspended" job:int attempt:int why:str="operator" by:int=0 at:float
Resumed type:tag="Resumed" job:int attempt:int why:str="operator" by:int=0 at:float
Preempted type:tag="Preempted" job:int allocation:Allocation victims:[Victim] task:int|none=null time_limit:int|none=null at:float
Victim job:int mode:str grace:int=0
PromiseEnded type:tag="PromiseEnded" job:int at:float
GraceEnded type:tag="GraceEnded" job:int attempt:int at:float
TimedOut type:tag="TimedOut" job:int attempt:int why:str="" at:float
DeadlinePassed type:tag="DeadlinePassed" job:int at:float
Cancelled type:tag="Cancelled" job:int by:int tasks:[(int,int,int)]|none=null at:float
CronPlanned type:tag="CronPlanned" job:int moment:float at:float
CrontabReplaced type:tag="CrontabReplaced" uid:int user:str by:int text:str="" jobs:[int]=[] at:float
TriggerSet type:tag="TriggerSet" trigger:Trigger at:float
TriggersCleared type:tag="TriggersCleared" triggers:[int] at:float
TriggerPulled type:tag="TriggerPulled" trigger:int pull:Pull at:float
TriggerDone type:tag="TriggerDone" trigger:int at:float
Trigger id:int uid:int gid:int user:str kind:str what:str program:str job:int=0
  nodes:str="*" offset:int=0 permanent:bool=false pulled:[Pull]=[]
Pull argument:str moment:float
Held type:tag="Held" job:int admin:bool=false task:int|none=null at:float
Released type:tag="Released" job:int task:int|none=null at:float
Requeued type:tag="Requeued" job:int by:int hold:bool=false why:str="" at:float
JobUpdated type:tag="JobUpdated" job:int changes:{str:any} task:int|none=null at:float
JobShrunk type:tag="JobShrunk" job:int attempt:int nodes:[str] at:float
StepCreated type:tag="StepCreated" job:int step:Step at:float
StepEnding type:tag="StepEnding" job:int attempt:int step:int why:str="cancelled" at:float
StepExited type:tag="StepExited" job:int attempt:int step:int node:str status:int oom:bool=false usage:Usage|none=null at:float
NodeRegistered type:tag="NodeRegistered" node:str cpus:int boards:int sockets:int cores_per_socket:int threads_per_core:int memory:int
  tmp_disk:int arch:str="" os:str="" version:str="" boot_time:float=0.0 boot_id:str="" slurmd_start_time:float=0.0 address:str=""
  hostname:str="" port:int=0 gres:[GresPool]|none=null rebooted:bool=false at:float
NodeLost type:tag="NodeLost" node:str why:str="Not\u0020responding" may_run:bool=false together:[str]=[] at:float
NodeReturned type:tag="NodeReturned" job:int attempt:int node:str at:float
NodeFenced type:tag="NodeFenced" node:str attempts:[(int,int)] why:str="" at:float
ProofWaived type:tag="ProofWaived" job:int attempt:int why:str="" at:float
NodeSilent type:tag="NodeSilent" node:str at:float
NodeUpdated type:tag="NodeUpdated" node:str by:int by_name:str="" state:str="" reason:str|none=null weight:int|none=null
  features:[str]|none=null comment:str|none=null extra:str|none=null may_run:bool=false
  address:str|none=null hostname:str|none=null resume_after:float|none=null at:float
PartitionUpdated type:tag="PartitionUpdated" partition:str changes:{str:any} at:float
PartitionCreated type:tag="PartitionCreated" partition:Partition at:float
PartitionDeleted type:tag="PartitionDeleted" partition:str at:float
NodesCreated type:tag="NodesCreated" nodes:[Node] members:{str:[str]}={} at:float
NodesDeleted type:tag="NodesDeleted" nodes:[str] at:float
PowerChanged type:tag="PowerChanged" node:str power:str empty:bool=false at:float
ResumeFailed type:tag="ResumeFailed" node:str reboot:bool=false at:float
RebootAsked type:tag="RebootAsked" node:str by:int by_name:str="" asap:bool=false next:str="" reason:str="" at:float
RebootIssued type:tag="RebootIssued" node:str at:float
RebootCancelled type:tag="RebootCancelled" node:str at:float
ReservationCreated type:tag="ReservationCreated" reservation:Reservation at:float
ReservationUpdated type:tag="ReservationUpdated" reservation:Reservation at:float
ReservationBegun type:tag="ReservationBegun" name:str at:float
ReservationEnded type:tag="ReservationEnded" name:str next:(float,float)|none=null by:int|none=null at:float
Purged type:tag="Purged" jobs:[int] at:float
NumberingContinued type:tag="NumberingContinued" above:int at:float
RecordsMissed type:tag="RecordsMissed" jobs:[int] nodes:bool=false at:float
PolicyChanged type:tag="PolicyChanged" records:[Account|Association|Qos|Resource|User|Wckey]=[] resets:[UsageReset]=[] whole:bool=false
  staged:bool=false at:float
Accrued type:tag="Accrued" jobs:[int] at:float
UsagePeriodEnded type:tag="UsagePeriodEnded" at:float
ClockSet type:tag="ClockSet" by:float at:float
EpochStarted type:tag="EpochStarted" epoch:int holder:str="" at:float
Settings cluster_name:str="cluster" slurm_user:str="root" operators:[int]=[] max_job_count:int=10000 max_array_size:int=1001
  max_step_count:int=40000 max_script_size:int=4194304 max_submit_line_size:int=1048576 max_tasks_per_node:int=512 first_job_id:int=1
  max_job_id:int=67043328 min_job_age:int=300 kill_wait:int=30 over_time_limit:int=0 reservation_over_run:int=0 inactive_limit:int=0
  batch_start_timeout:int=10 complete_wait:int=0 mpi_ports:[int]=[] slurmd_timeout:int=300 unkillable_step_timeout:int=60
  requeue_unproven:int|none=null
  fence_timeout:int=0 return_to_service:int=0 job_requeue:bool=true max_batch_requeue:int=5 requeue_delay:int=120 requeue_exit:[int]=[]
  requeue_exit_hold:[int]=[] kill_on_invalid_dep:bool=false cascade_at_once:int=0 enforce_part_limits:str="NO"
  disable_root_jobs:bool=false
  job_file_append:bool=false default_qos:str="normal" node_prolog:bool=false node_epilog:bool=false controller_prolog:bool=false
  controller_epilog:bool=false prolog_flags:[str]=[] hold_on_prolog_fail:bool=true accounting_enforce:[str]=[] accounting:bool=false
  accounting_store:[str]=[]
  accounting_tres:[str]=[] select:str="cons_tres" select_unit:str="core" select_memory:bool=true select_one_task_per_core:bool=false
  gres_types:[str]=[] def_mem_per_cpu:int|none=null def_mem_per_node:int|none=null max_mem_per_cpu:int|none=null
  max_mem_per_node:int|none=null topologies:[Topology]=[] max_switch_wait:int=300
  job_defaults:str="" spec_usage:bool=false config_overrides:bool=false licenses:{str:int}={}
  scheduler:str="backfill" backfill_window:int=86400
  backfill_resolution:int=60 backfill_max_jobs:int=10000 backfill_interval:int=30 backfill_max_user:int=0 backfill_max_partition:int=0
  backfill_max_user_partition:int=0 backfill_max_association:int=0 backfill_max_starts:int=0 backfill_max_time:int=0
  backfill_min_age:int=0 backfill_min_priority:int=0 backfill_reservations:int=1 backfill_one_reservation:bool=false
  default_queue_depth:int=100 partition_job_depth:int=0 sched_max_starts:int=0 sched_max_time:int=0 sched_min_interval:int=0
  sched_interval:int=60 assoc_limit_stop:bool=false priority_type:str="multifactor" priority_decay_half_life:int=604800
  priority_weight_age:int=0 priority_weight_job_size:int=0 priority_weight_partition:int=0 priority_max_age:int=604800
  priority_favor_small:bool=false priority_flags:[str]=[] priority_weight_association:int=0 priority_weight_fair_share:int=0
  priority_weight_qos:int=0 priority_weight_tres:{str:float}={} fair_share_dampening:int=1 usage_reset_period:str="NONE"
  track_wckey:bool=false private_data:[str]=[] preempt_type:str="none" preempt_modes:[str]=[] preempt_exempt_time:int=0
  preempt_youngest_first:bool=false preempt_strict_order:bool=false preempt_reorder_count:int=1 preempt_user_signal:bool=false
  preempt_min_exempt_priority:int|none=null suspend_grace_time:int=2 time_slice:int=30
  cron_enabled:bool=false cron_explicit_cancel:bool=false hetjob_priority:str="" whole_hetjob:bool=false max_node_count:int=0
  suspends:bool=false resumes:bool=false reboots:bool=false suspend_time:int=-1 suspend_timeout:int=30 resume_timeout:int=60
  suspend_rate:int=60 resume_rate:int=300 suspend_exc_nodes:str="" suspend_exc_parts:[str]=[] suspend_exc_states:[str]=[]
NodeEventRecord type:tag="node" node:str start_time:float end_time:float=0.0 state:str="" reason:str="" reason_uid:int=0 tres:{str:int}={}
ClusterRecord type:tag="cluster" start_time:float nodes:str="" tres:{str:int}={}
Account type:tag="account" name:str description:str="" organization:str="" coordinators:[str]=[] deleted:bool=false
User type:tag="user" name:str admin_level:str="None" default_wckey:str="" deleted:bool=false
Association type:tag="association" id:int cluster:str account:str user:str="" partition:str="" parent:int=0 shares:int=1
  is_default:bool=false default_qos:str="" qos:[str]|none=null qos_changes:[str]=[] priority:int|none=null comment:str=""
  limits:{str:{str:int}}={} created:float=0.0 deleted:bool=false
Qos type:tag="qos" id:int name:str description:str="" priority:int=0 grace_time:int=0 preempts:[str]=[] preempt_mode:str="cluster"
  preempt_exempt_time:int|none=null flags:[str]=[] usage_threshold:float|none=null usage_factor:float=1.0 limit_factor:float|none=null
  limits:{str:{str:int}}={} deleted:bool=false
Resource type:tag="resource" id:int name:str server:str kind:str="License" count:int=0 description:str="" server_type:str=""
  flags:[str]=[] last_consumed:int=0 last_update:float=0.0 allowed:{str:int}={} deleted:bool=false
Wckey type:tag="wckey" id:int name:str user:str cluster:str is_default:bool=false deleted:bool=false
Topology name:str="default" kind:str="flat" units:[Unit]=[] sizes:[int]=[] default:bool=true optional:bool=false
Unit name:str nodes:str="" children:str="" speed:str="1"
GresPool name:str type:str count:int first:int=0 files:[str]=[] cores:bytes="" consumed:bool=true
Remains job:int attempt:int waived:bool=false
Owner uid:int gid:int user:str group:str
JobRequest name:str="" kind:str="batch" account:str="" partition:str="" qos:str="" reservation:str="" licenses:str="" comment:str=""
  admin_comment:str="" wckey:str="" extra:str="" nodes_min:int=0 nodes_max:int=0 ntasks:int=0 cpus_per_task:int=0 ntasks_per_node:int=0
  ntasks_per_socket:int=0 ntasks_per_core:int=0 ntasks_per_gpu:int=0 mincpus:int=0 sockets_per_node:int=0 cores_per_socket:int=0
  threads_per_core:int=0 mem_per_node:int|none=null mem_per_cpu:int|none=null mem_per_gpu:int|none=null tmp_disk:int=0
  core_spec:int|none=null thread_spec:int|none=null gres:str=""
  gpus:str="" gpus_per_node:str="" gpus_per_socket:str="" gpus_per_task:str="" gpu_bind:str="" cpus_per_gpu:int=0 features:str=""
  prefer:str="" nodelist:str="" exclude:str="" contiguous:bool=false switches:int=0
  switch_wait:int|none=null segment:int=0 spread_segments:bool=false exclusive:str="" oversubscribe:bool=false overcommit:bool=false
  spread_job:bool=false use_min_nodes:bool=false distribution:str="" time_limit:int|none=null time_min:int|none=null begin:float=0.0
  deadline:float=0.0 hold:bool=false priority:int|none=null nice:int=0 dependency:str="" kill_on_invalid_dep:bool|none=null array:str=""
  requeue:bool|none=null no_kill:bool=false signal:str="" immediate:int=0 reboot:bool=false work_dir:str="" stdin:str="" stdout:str=""
  stderr:str="" open_mode:str="" umask:int=18 rlimits:{str:int}={} export_env:str="" mail_type:str="" mail_user:str=""
  wait_all_nodes:int=0 kill_on_bad_exit:bool|none=null sample_seconds:int|none=null no_shell:bool=false command:str="" submit_line:str=""
  submit_host:str="" alloc_sid:int=0
PayloadRef script:str="" environment:str="" argv:[str]=[]
ArrayPart ranges:[(int,int,int)] limit:int=0 count:int=0 lowest:int=0 highest:int=0 step:int=1
DependencyClause kind:str job:int=0 task:int|none=null whole_array:bool=false delay:int=0 state:str="unfulfilled" since:float=0.0
Allocation shares:[NodeShare] partition:str exclusive:bool=false reservation:str="" reservation_id:int=0 licenses:{str:int}={}
Promise allocation:Allocation since:float victims:[int] time_limit:int|none=null
LostAttempt allocation:Allocation partition:str batch_host:str since:float start_time:float launched:bool signalled:bool steps:{int:Step}
  intact:bool=true returned:[str]=[] suspended_by:str=""
Step id:int name:str start_time:float request:StepRequest={} shares:[NodeShare]=[] ntasks:int=1 nodes_left:[str]=[] state:int=1
  exit_status:int|none=null end_time:float=0.0 launcher:str="" ending:str="" oom:bool=false suspended_seconds:float=0.0
  usage:Usage|none=null ports:[int]=[]
Counter value:float=0.0 moment:float=0.0 rate:float=0.0
Usage user_seconds:float=0.0 system_seconds:float=0.0 taken:{str:TresUsage}={} given:{str:TresUsage}={}
UsageReset type:tag="reset" association:int=0 qos:int=0
NodeShare node:str cpus:bytes memory:int=0 gres:{str:bytes}={} tasks:int=1
StepRequest name:str="" nodes_min:int=0 nodes_max:int=0 ntasks:int=0 cpus_per_task:int=0 ntasks_per_node:int=0 mem_per_node:int|none=null
  mem_per_cpu:int|none=null gres:str="" gpus:str="" gpus_per_node:str="" gpus_per_socket:str="" gpus_per_task:str=""
  sockets_per_node:int=0 nodelist:str="" exclude:str="" relative:int|none=null exact:bool=false overlap:bool=false exclusive:bool=false
  overcommit:bool=false distribution:str="" time_limit:int|none=null immediate:int=0 sample_seconds:int|none=null
  kill_on_bad_exit:bool=false resv_ports:int|none=null interactive:bool=false submit_line:str="" launcher:str="" key:str=""
TresUsage total:int tasks:int most:Extreme least:Extreme
Extreme value:int node:str task:int
"""

SHAPES = parse(TEXT)
