"""Stand-ins for agent CLIs that speak their real dialect from a JSON scenario.

Owns: everything needed to test a parent without tokens, network or an account (README.md is the manual).
Refuses: imports from ``adapter`` and ``protocol``, and anything outside the standard library; a mock must start fast,
run with any Python that is at hand, and not share a mistake with the code it tests.
May be imported by: tests, benchmarks and examples; ``adapter`` and ``protocol`` never.
"""
