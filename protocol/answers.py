"""The answers to a CLI's questions, of every kind, as a provider takes them. Pure."""

from __future__ import annotations

from protocol.hooks import HookAnswer
from protocol.permissions import Decision
from protocol.tools import ToolResult

Answer = Decision | ToolResult | HookAnswer
