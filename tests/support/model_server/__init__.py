"""A loopback model server: the other end of the real CLI's `ANTHROPIC_BASE_URL`, driven by directives in the prompt.

Start one with `with ModelServer() as server:` and send the CLI prompts such as `SC:hello` or `SC:bash echo hi`;
`scenarios.py` lists every directive. Refuses anything that is not the Messages API of 127.0.0.1. Tests may import it.
"""

from .scenarios import SCENARIOS
from .server import ModelServer
from .state import RecordedRequest

__all__ = ["SCENARIOS", "ModelServer", "RecordedRequest"]
