"""The far end of a dispatch: what runs on a machine that has sshd and Python, and no agent.

It is the agent's own code for running attempts (`node_scripts.running`), shipped as one file with nothing beside it.
`node_scripts.dispatched.places` says what lies where on the machine; `dispatch` is the controller's side.
"""
