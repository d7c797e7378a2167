"""Invitations: a machine that is told a token joins by itself, once an administrator has approved it."""
