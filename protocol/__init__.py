"""What is said on every wire: framing, envelopes, events, state machines and codecs, all of it pure.

Nothing here reads a file, starts a process, looks at a clock or at the environment, or knows an event loop.
Everything in `adapter` may import it; it imports nothing of ours. import-linter and `tests/unit/test_layout.py`
keep it so.
"""
