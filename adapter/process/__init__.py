"""Operating-system processes: spawning them, telling them apart, ending them.

Owns everything that touches a PID, a signal or a pipe of a child. Knows no provider, no session and no wire.
Imported by `adapter.providers`, `adapter.session`, `adapter.app` and the commands. Empty on purpose: the guardian's
script imports this package in a bare interpreter without site-packages.
"""
