"""Schedules: a cron expression, or one date and time, that makes jobs."""
