"""`skerry-admin`: what playbooks, and administrators by hand, do on the controller."""

from webfront.admin.main import main

__all__ = ["main"]
