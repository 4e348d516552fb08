"""Measures the daemon beside its peers, on one mock CLI and in one run: `make bench`. Imported by nobody."""
