"""A cluster as tools for agents, by the Model Context Protocol. Needs the extra `mcp`; nothing else of the SDK imports this room.

Here: which tools there are, what they answer and refuse, who may call them. Not here: `slurm mcp`, which starts it (`commands.mcp`).
"""
