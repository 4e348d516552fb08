"""The fault matrix: what dies or breaks (rows), what a session is doing then (columns), and what must hold afterwards.

`columns` puts sessions to work, `rows` breaks something, `cell` does both and looks at what is left, `table` prints it.
`python -m tests.faults` runs all of it; the tests run what fits (`covering`). For Linux: cells are watched
through /proc and use `setsid`. Imported by nobody outside.
"""
