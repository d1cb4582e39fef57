"""The user's commands, one file each. Modules here start in tens of milliseconds."""
