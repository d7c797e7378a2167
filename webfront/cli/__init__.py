"""`skerry`, the users' command: it speaks HTTP to a Skerry's `/api/v1`, and nothing else."""

from webfront.cli.main import main

__all__ = ["main"]
