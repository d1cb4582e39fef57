"""THE table of the API's operations, in openapi.json's names, each with what carries it out."""

from __future__ import annotations

from slurm.slurmrestd import cluster, database, jobs, policy_writing
from slurm.slurmrestd.operation import Operation

_NODE, _PARTITION, _RESERVATION = ("ESLURM_INVALID_NODE_NAME",), ("ESLURM_INVALID_PARTITION_NAME",), ("ESLURM_RESERVATION_INVALID",)
_ACCOUNT = ("ESLURM_INVALID_ACCOUNT",)

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
    Operation("POST /slurm/{version}/job/allocate", jobs.allocate),
    Operation("GET /slurm/{version}/resources/{job_id}", jobs.show_resources, ("ESLURM_INVALID_JOB_ID",)),
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
    Operation("POST /slurmdb/{version}/accounts/", policy_writing.post_accounts),
    Operation("DELETE /slurmdb/{version}/account/{account_name}", policy_writing.delete_account, _ACCOUNT),
    Operation("POST /slurmdb/{version}/accounts_association/", policy_writing.post_accounts_association),
    Operation("POST /slurmdb/{version}/users/", policy_writing.post_users),
    Operation("DELETE /slurmdb/{version}/user/{name}", policy_writing.delete_user),
    Operation("POST /slurmdb/{version}/users_association/", policy_writing.post_users_association),
    Operation("POST /slurmdb/{version}/associations/", policy_writing.post_associations),
    Operation("DELETE /slurmdb/{version}/associations/", policy_writing.delete_associations),
    Operation("DELETE /slurmdb/{version}/association/", policy_writing.delete_association),
    Operation("POST /slurmdb/{version}/qos/", policy_writing.post_qos),
    Operation("DELETE /slurmdb/{version}/qos/{qos}", policy_writing.delete_qos, ("ESLURM_INVALID_QOS",)),
    Operation("POST /slurmdb/{version}/clusters/", policy_writing.post_clusters),
    Operation("DELETE /slurmdb/{version}/cluster/{cluster_name}", policy_writing.delete_cluster),
    Operation("POST /slurmdb/{version}/tres/", policy_writing.post_tres),
    Operation("POST /slurmdb/{version}/wckeys/", policy_writing.post_wckeys),
    Operation("DELETE /slurmdb/{version}/wckey/{id}", policy_writing.delete_wckey),
    Operation("POST /slurmdb/{version}/config", policy_writing.load_config),
    Operation("POST /util/{version}/hostnames", cluster.hostnames),
    Operation("POST /util/{version}/hostlist", cluster.host_list),
)
_NODES_OF_CONF = "nodes are those of slurm.conf: change it, then reconfigure"
REFUSED: dict[str, str] = {
    "POST /slurm/{version}/new/node/": _NODES_OF_CONF,
    "DELETE /slurm/{version}/node/{node_name}": _NODES_OF_CONF,
    "POST /slurmdb/{version}/job/{job_id}": "what accounting keeps of jobs is not changed afterwards",
    "POST /slurmdb/{version}/jobs/": "what accounting keeps of jobs is not changed afterwards",
}
"""What Slurm's API has and this does not carry out yet, with what to do instead. They are not in the OpenAPI document."""
