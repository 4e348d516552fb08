"""What a parent changes or asks in a live session: model, runtime mode, the questions of `protocol.queries`.

What is changed holds for processes to come, too: it is written into the session's config. The session has made sure
that it is live before any of this is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from adapter.providers.base import ProviderAdapter, SessionConfig
    from adapter.session.link import ProcessLink
    from adapter.session.timeline import Timeline

LASTING = {"set_effort": "effort", "set_thinking_budget": "max_thinking_tokens"}
"""What holds for processes to come, too: the query, and the param of it that is a field of the config."""


class Controls:
    """The settings of one session, and its questions to the CLI.

    Args:
        session_id: whose.
        adapter: asks the CLI.
        link: knows whether there is a process to be told.
        timeline: tells the parent what has changed.
        config: how the session is to run, with `resume` and `fork` taken out.
    """

    def __init__(
        self, session_id: str, adapter: ProviderAdapter, link: ProcessLink, timeline: Timeline, config: SessionConfig
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._link = link
        self._timeline = timeline
        self.config = config
        """The config that the next process is started with."""

    async def set_model(self, model: str) -> None:
        """Change the model from the next turn on, also for processes to come."""
        if self._link.is_up:
            await self._adapter.set_model(self._session_id, model)
        self.config = self.config.model_copy(update={"model": model})
        self._timeline.tell_news(model=model)

    async def set_runtime_mode(self, runtime_mode: str) -> None:
        """Change the runtime mode, also for processes to come."""
        if self._link.is_up:
            await self._adapter.set_runtime_mode(self._session_id, runtime_mode)
        self.config = self.config.model_copy(update={"runtime_mode": runtime_mode})
        self._timeline.tell_news(runtime_mode=runtime_mode)

    def require_steering(self) -> None:
        """See to it that the provider can take a message in a running turn.

        Raises:
            AdapterError: `unsupported`, and why.
        """
        refusal = self._adapter.steering_refusal(self._session_id)
        if refusal is not None:
            hint = "Send it with when: queue, or interrupt the turn first."
            raise AdapterError(ErrorKind.UNSUPPORTED, refusal, hint=hint, session_id=self._session_id)

    async def query(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the CLI one of the questions of `protocol.queries`.

        Raises:
            AdapterError: why there is no answer.
        """
        answer = await self._adapter.query(self._session_id, name, params)
        if name in LASTING:
            self.config = self.config.model_copy(update={LASTING[name]: params[LASTING[name]]})
        return answer
