"""Puts what the agent asks to the editor: permissions, plans, questions in words, MCP servers' questions, trust.

What the editor cannot show, what it answers with an error, and what cannot be understood is denied; the session's desk
sees to that where this raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from adapter.peer import RequestFailed
from adapter.session.sink import QuestionFailed
from protocol.codecs import acp_questions, acp_size

if TYPE_CHECKING:
    from adapter.faces.acp.session import AcpSession
    from protocol.signals import PermissionAsked

Json = dict[str, Any]


class Ask(Protocol):
    """Sends a request to the editor and waits for its result. Raises `RequestFailed`."""

    async def __call__(self, method: str, params: Json, *, lane: str | None = None) -> Any: ...


class Questions:
    """The questions of all sessions.

    Args:
        request: sends a request.
    """

    def __init__(self, request: Ask) -> None:
        self._request = request

    async def put(self, session: AcpSession, asked: PermissionAsked) -> Json:
        """The contract's answer to a permission request.

        Raises:
            QuestionFailed: there will be none.
        """
        try:
            if asked.kind == "trust":
                return await self._ask_trust(session, asked)
            if asked.kind == "question":
                return await self._ask_user(session, asked)
            return await self._ask_permission(session, asked)
        except RequestFailed as error:
            raise QuestionFailed(str(error)) from error

    async def _ask_permission(self, session: AcpSession, asked: PermissionAsked) -> Json:
        same = acp_questions.sameness(asked)
        if same in session.denied:
            return acp_questions.DENY
        choices = acp_questions.permission_choices(asked)
        session.update(session.writer.calls.announce(asked.tool_call_id, asked.tool_name, asked.kind, asked.input))
        choice = await self._choose(session, asked, choices, asked.input)
        if choice is None:
            return acp_questions.DENY_AND_STOP
        if choice.for_good:
            session.denied.add(same)
        return choice.answer

    async def _ask_user(self, session: AcpSession, asked: PermissionAsked) -> Json:
        questions = acp_questions.questions_of(asked)
        if not questions:
            return await self._elicit(session, asked)
        session.update(session.writer.calls.announce(asked.tool_call_id, asked.tool_name, asked.kind, asked.input))
        if session.client.elicits_forms:
            form: Json = {"mode": "form", "message": "The agent has a question.", "toolCallId": asked.tool_call_id}
            form["requestedSchema"] = acp_questions.question_form(questions)
            result = await self._create_elicitation(session, form)
            return acp_questions.form_answers(asked, questions, result)
        answers: dict[str, str] = {}
        for question in questions:
            choices = acp_questions.question_choices(question)
            choice = await self._choose(session, asked, choices, {**asked.input, "questions": [question]})
            if choice is None:
                return acp_questions.DENY
            if "answer" in choice.answer:
                answers[question["question"]] = choice.answer["answer"]
        return acp_questions.answered(asked, answers) if answers else acp_questions.DENY

    async def _elicit(self, session: AcpSession, asked: PermissionAsked) -> Json:
        form = acp_questions.elicitation(asked)
        can = session.client.elicits_urls if form and form["mode"] == "url" else session.client.elicits_forms
        if form is None or not can:
            raise QuestionFailed("the editor cannot show this question")
        return acp_questions.elicitation_answer(await self._create_elicitation(session, form))

    async def _ask_trust(self, session: AcpSession, asked: PermissionAsked) -> Json:
        """Nothing may be said of a session before the editor knows it, so this goes with the request that starts it."""
        if session.asking is None or not session.client.elicits_forms:
            raise QuestionFailed("the editor cannot be asked before it knows the session")
        params = {**acp_questions.trust_form(asked), "requestId": session.asking}
        return acp_questions.trust_answer(await self._request("elicitation/create", params, lane=session.own_id))

    async def _choose(
        self, session: AcpSession, asked: PermissionAsked, choices: list[acp_questions.Choice], given: Json
    ) -> acp_questions.Choice | None:
        params = {
            "sessionId": session.id,
            "toolCall": acp_size.shortened(session.writer.calls.describe(asked.tool_call_id, given)),
            "options": [choice.render() for choice in choices],
        }
        result = await self._request("session/request_permission", params, lane=session.own_id)
        return acp_questions.chosen(result, choices)

    async def _create_elicitation(self, session: AcpSession, form: Json) -> Any:
        params = {"sessionId": session.id, **acp_size.shortened(form)}
        return await self._request("elicitation/create", params, lane=session.own_id)
