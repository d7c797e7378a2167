"""The lanes: Skerry, its peers, and the ceiling, all on the same RabbitMQ under the same durability.

Same durability means for each: a quorum queue, persistent messages, each publish confirmed, acknowledged only once the
work is safe, and each outcome in an SQLite database in WAL mode with `synchronous=FULL`.
"""
