"""Reads the members of a JSON object one by one: checks each type, and keeps count of what nobody read.

For the requests of foreign APIs, which have more members than we honour and get new ones each month: what is not read
is named to the client. Imported by `wire/*_api.py`.
"""

from __future__ import annotations

from typing import Any

from protocol.httperrors import invalid


class Fields:
    """A JSON object being read.

    Args:
        value: the object.
        path: where it stands in the request; empty for the whole.

    Raises:
        HttpError: it is not an object.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise invalid("must be an object" if path else "The body must be a JSON object.", path or None)
        self._value = value
        self._path = path
        self._read: set[str] = set()

    def at(self, name: str | int) -> str:
        """The path of a member."""
        return f"{self._path}.{name}" if self._path else str(name)

    def take(self, name: str) -> Any:
        """A member as it is, None where there is none."""
        self._read.add(name)
        return self._value.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A string; needed where there is no default."""
        value = self.take(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise invalid("must be a string" if value is not None else "is needed", self.at(name))
        return value

    def maybe_text(self, name: str) -> str | None:
        """A string or nothing."""
        value = self.take(name)
        if not isinstance(value, str | None):
            raise invalid("must be a string", self.at(name))
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where it is not there."""
        value = self.take(name)
        if not isinstance(value, bool | None):
            raise invalid("must be true or false", self.at(name))
        return bool(value)

    def whole(self, name: str) -> int | None:
        """A whole number or nothing."""
        value = self.take(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise invalid("must be a whole number", self.at(name))
        return value

    def items(self, name: str) -> list[Any]:
        """A list; empty where it is not there."""
        value = self.take(name)
        if not isinstance(value, list | None):
            raise invalid("must be a list", self.at(name))
        return value or []

    def object(self, name: str) -> Fields | None:
        """An object or nothing."""
        value = self.take(name)
        return None if value is None else Fields(value, self.at(name))

    def mapping(self, name: str) -> dict[str, Any] | None:
        """An object as it is, or nothing."""
        value = self.take(name)
        if not isinstance(value, dict | None):
            raise invalid("must be an object", self.at(name))
        return value

    def refuse(self, name: str, why: str) -> None:
        """This member must be missing or empty, because to pass over it would change what the client gets."""
        if self.take(name):
            raise invalid(why, self.at(name))

    def unread(self) -> list[str]:
        """The members that nobody has read and that say something."""
        return sorted(
            self.at(name) for name, value in self._value.items() if name not in self._read and value is not None
        )
