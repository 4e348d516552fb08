"""The HTTP face: the Messages API and OpenAI's, answered by the agent on this machine."""
