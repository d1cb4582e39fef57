"""Nodes that are made, powered up and down, and started anew while the cluster runs. What they report and lose is in `core.machines`."""
