"""What the control plane needs of the broker beyond `wire.broker`: exchanges and queues, and the nodes' admission."""
