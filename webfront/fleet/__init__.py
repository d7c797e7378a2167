"""Nodes: their states, their rows, what pages show of them. What changes a machine is a play: `webfront.plays`."""
