"""The subcommands for a person at a terminal: `doctor`, `sessions`, `acp login`. Like `app.py`, they may know
everything below."""
