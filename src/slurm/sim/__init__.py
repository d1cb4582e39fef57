"""Simulation: the real cluster state and planner on a virtual clock."""
