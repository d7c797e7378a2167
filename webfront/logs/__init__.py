"""Where log records go: out of `skerry.logs` into Elasticsearch. And what becomes of those that do not arrive."""
