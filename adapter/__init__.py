"""The daemon: everything that touches processes, pipes, files, the clock and the environment."""

__version__ = "0.1.0"
