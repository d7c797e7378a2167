"""Apps and their versions: the manifest, the upload, the queries."""
