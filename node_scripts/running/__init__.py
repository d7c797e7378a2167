"""Runs attempts: their folders, processes, limits, virtual environments and results."""
