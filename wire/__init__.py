"""What the controller and a node both speak: messages, the door to the broker, and log records.

`webfront` and `node_scripts` import this package; it imports neither.
"""
