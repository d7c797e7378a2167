"""What is measured, against whom. `./bench NAME` runs one; docs are in benchmarks/README.md."""
