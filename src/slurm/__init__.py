"""Front door of slurm-py. Names are imported when first asked for; nothing else lives here."""

__version__ = "0.1.0"
