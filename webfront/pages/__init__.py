"""The pages' controllers: each module exposes `register(app, services)`. A route parses, calls one service, renders."""
