"""The program by which a machine joins by itself, and leaves. It runs on any Python 3.11, before anything is installed.

The web front serves it as one file (`webfront.invitations.program`), with the roles and the agent that it installs.
"""
