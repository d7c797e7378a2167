"""The node agent: takes orders from its queue, runs apps, and tells what happened. It never imports `webfront`."""
