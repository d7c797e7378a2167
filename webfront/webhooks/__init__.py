"""Webhooks: a user's address that is told of the end of each of their jobs, at least once, whatever is killed."""
