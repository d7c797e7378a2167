"""`/api/v1`: one module for each kind of thing. Each route parses, calls one service, and renders."""
