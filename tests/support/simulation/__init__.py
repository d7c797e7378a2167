"""A whole platform in one process and in virtual time: what a seed says happens to it, and whether it stood that.

The scheduler, its turns and its database (SQLite), and each node's agent with its journal (a file of SQLite's) are
real. Three things are simulated: time (`loop`), the broker with the network to it (`rabbit`), and the machines with the
apps on them (`machines`). `plan` draws from a seed what is submitted, cancelled and broken, and when; `history` lets it
happen; `checker` looks after each change of the database, and at the end.
"""
