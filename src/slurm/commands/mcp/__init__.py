"""`slurm mcp`: starts the tools for agents, and says how a client finds them. What the tools are stands in `mcp`."""
