"""The tests. `unit`: pure, no event loop. `property`, `golden`: pure, generated and recorded input. `integration`:
mock CLIs and small processes. `e2e`: the real CLI. `conformance`: SPEC.md against the code. `support`: what they
share.
"""
