"""What Kibana shows of a Skerry platform, as code: `dashboards` says it, and `python -m kibana` writes objects.ndjson.

Imports nothing of the platform. What the panels ask for are fields of its records; tests run each panel's question on
a real Elasticsearch.
"""
