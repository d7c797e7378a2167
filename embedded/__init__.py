"""What `./quickstart` does after its bootstrap: bring the embedded platform up on this machine, and take it away.

`status`, `stop` and `destroy` need only the standard library, so that they work with a half-made virtual environment.
"""
