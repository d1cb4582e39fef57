"""THE table of the API's operations, in openapi.json's names, each with what carries it out."""

from __future__ import annotations

from slurm.slurmrestd import cluster, database, jobs
from slurm.slurmrestd.operation import Operation

_NODE, _PARTITION, _RESERVATION = ("ESLURM_INVALID_NODE_NAME",), ("ESLURM_INVALID_PARTITION_NAME",), ("ESLURM_RESERVATION_INVALID",)

OPERATIONS: tuple[Operation, ...] = (
    Operation("GET /slurm/{version}/ping/", cluster.ping),
    Operation("GET /slurm/{version}/diag/", cluster.diag),
    Operation("GET /slurm/{version}/reconfigure/", cluster.reconfigure),
    Operation("GET /slurm/{version}/licenses/", cluster.licenses),
    Operation("GET /slurm/{version}/shares", cluster.shares),
    Operation("GET /slurm/{version}/jobs/", jobs.list_jobs),
    Operation("DELETE /slurm/{version}/jobs/", jobs.delete_many),
    Operation("GET /slurm/{version}/jobs/state/", jobs.list_states),
    Operation("POST /slurm/{version}/job/submit", jobs.submit),
    Operation("GET /slurm/{version}/job/{job_id}", jobs.show_job),
    Operation("POST /slurm/{version}/job/{job_id}", jobs.update, ("ESLURM_INVALID_JOB_ID",)),
    Operation("DELETE /slurm/{version}/job/{job_id}", jobs.delete),
    Operation("GET /slurm/{version}/nodes/", cluster.list_nodes),
    Operation("POST /slurm/{version}/nodes/", cluster.update_nodes),
    Operation("GET /slurm/{version}/node/{node_name}", cluster.show_node, _NODE),
    Operation("POST /slurm/{version}/node/{node_name}", cluster.update_node, _NODE),
    Operation("GET /slurm/{version}/partitions/", cluster.list_partitions),
    Operation("GET /slurm/{version}/partition/{partition_name}", cluster.show_partition, _PARTITION),
    Operation("GET /slurm/{version}/reservations/", cluster.list_reservations),
    Operation("POST /slurm/{version}/reservations/", cluster.put_reservations),
    Operation("POST /slurm/{version}/reservation", cluster.put_reservation),
    Operation("GET /slurm/{version}/reservation/{reservation_name}", cluster.show_reservation, _RESERVATION),
    Operation("DELETE /slurm/{version}/reservation/{reservation_name}", cluster.delete_reservation, _RESERVATION),
    Operation("GET /slurmdb/{version}/jobs/", database.list_jobs),
    Operation("GET /slurmdb/{version}/job/{job_id}", database.show_job),
    Operation("GET /slurmdb/{version}/accounts/", database.list_accounts),
    Operation("GET /slurmdb/{version}/account/{account_name}", database.show_account),
    Operation("GET /slurmdb/{version}/users/", database.list_users),
    Operation("GET /slurmdb/{version}/user/{name}", database.show_user),
    Operation("GET /slurmdb/{version}/associations/", database.list_associations),
    Operation("GET /slurmdb/{version}/association/", database.show_association),
    Operation("GET /slurmdb/{version}/qos/", database.list_qos),
    Operation("GET /slurmdb/{version}/qos/{qos}", database.show_qos),
    Operation("GET /slurmdb/{version}/tres/", database.list_tres),
    Operation("GET /slurmdb/{version}/clusters/", database.list_clusters),
    Operation("GET /slurmdb/{version}/cluster/{cluster_name}", database.show_cluster),
    Operation("GET /slurmdb/{version}/instances/", database.list_instances),
    Operation("GET /slurmdb/{version}/instance/", database.list_instances),
    Operation("GET /slurmdb/{version}/wckeys/", database.list_wckeys),
    Operation("GET /slurmdb/{version}/wckey/{id}", database.show_wckey),
    Operation("GET /slurmdb/{version}/config", database.dump_config),
    Operation("GET /slurmdb/{version}/diag/", database.diag),
    Operation("GET /slurmdb/{version}/ping/", database.ping),
    Operation("POST /util/{version}/hostnames", cluster.hostnames),
    Operation("POST /util/{version}/hostlist", cluster.host_list),
)
_NODES_OF_CONF = "nodes are those of slurm.conf: change it, then reconfigure"
_BY_SACCTMGR = "sacctmgr changes what slurmdbd keeps"
REFUSED: dict[str, str] = {
    "POST /slurm/{version}/job/allocate": "allocations are held by whoever asked for them: salloc makes them, POST job/submit runs a "
                                          "script",
    "POST /slurm/{version}/new/node/": _NODES_OF_CONF,
    "DELETE /slurm/{version}/node/{node_name}": _NODES_OF_CONF,
    "GET /slurm/{version}/resources/{job_id}": "GET job/{job_id} has the nodes, CPUs and memory of a job in job_resources",
    "POST /slurmdb/{version}/job/{job_id}": "what accounting keeps of jobs is not changed afterwards",
    "POST /slurmdb/{version}/jobs/": "what accounting keeps of jobs is not changed afterwards",
    "POST /slurmdb/{version}/config": _BY_SACCTMGR,
    "POST /slurmdb/{version}/tres/": "slurmctld registers TRES",
    "DELETE /slurmdb/{version}/qos/{qos}": _BY_SACCTMGR,
    "POST /slurmdb/{version}/qos/": _BY_SACCTMGR,
    "POST /slurmdb/{version}/associations/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/associations/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/association/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/user/{name}": _BY_SACCTMGR,
    "POST /slurmdb/{version}/users_association/": _BY_SACCTMGR,
    "POST /slurmdb/{version}/users/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/cluster/{cluster_name}": _BY_SACCTMGR,
    "POST /slurmdb/{version}/clusters/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/wckey/{id}": _BY_SACCTMGR,
    "POST /slurmdb/{version}/wckeys/": _BY_SACCTMGR,
    "DELETE /slurmdb/{version}/account/{account_name}": _BY_SACCTMGR,
    "POST /slurmdb/{version}/accounts_association/": _BY_SACCTMGR,
    "POST /slurmdb/{version}/accounts/": _BY_SACCTMGR,
}
"""What Slurm's API has and this does not carry out yet, with what to do instead. They are not in the OpenAPI document."""
