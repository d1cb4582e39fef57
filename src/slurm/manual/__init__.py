"""The manual pages and the completions of shells, written from the tables: options, configuration keys, report fields, subcommands.

`python -m slurm.manual` writes them to packaging/man and packaging/completion, from where wheels and Debian packages take them. No command
or daemon imports this.
"""
