"""What the faces over HTTP stand on: who asks, what is logged, how bodies come in and answers go out, the services."""
