"""--nodelist: the named nodes are part of the allocation, wherever they stand in the cluster's order."""

from slurm.sched.plan import plan
from slurm.testing import builders


def nodes_given(**request: object) -> list[str]:
    cluster = builders.cluster(nodes=4, cpus=4)
    builders.submit(cluster, **request)
    return [str(name) for proposal in plan(cluster, builders.T0).proposals for name in proposal.allocation.nodes]


def test_a_job_that_names_one_node_gets_that_node() -> None:
    assert nodes_given(nodelist="cn03") == ["cn03"]


def test_ranks_follow_the_order_of_the_cluster_and_not_of_the_names() -> None:
    assert nodes_given(nodelist="cn04,cn02", nodes_min=2, nodes_max=2) == ["cn02", "cn04"]


def test_more_nodes_than_named_are_filled_up_with_others() -> None:
    assert nodes_given(nodelist="cn03", nodes_min=2, nodes_max=2) == ["cn01", "cn03"]
    assert nodes_given(nodelist="cn03", ntasks=6, nodes_min=1) == ["cn01", "cn03"]
