"""The database: its connection, its tables, and the queries that belong to them."""
