"""The subcommands for a person at a terminal: `doctor`, `sessions`. Like `app.py`, they may know everything below."""
