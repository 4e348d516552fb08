"""What several test files share: stand-ins for the outside world and ways to reach the real CLI.

Owns no test of the product itself. Only tests, and the Makefile through `install_cli`, use it; nothing in `adapter`,
`protocol` or `mock_clis` may import it.
"""
