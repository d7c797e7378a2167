"""Nodes without an agent: the agent's work done for them on the controller, by plays and kept SSH connections.

The one package that knows both sides: the agent's core (`node_scripts`) and the platform's plays and rows (`webfront`),
neither of which knows the other. docs/decisions/dispatch.md says why it is so.
"""
