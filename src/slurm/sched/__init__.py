"""The pure planner: a snapshot goes in, a plan of proposals comes out."""
