"""Whether what was made from a CLI's words holds what the contract promises. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, ValidationError, convert

if TYPE_CHECKING:
    from msgspec import Struct


def fits(item: Struct) -> bool:
    """Whether every field is of the type that the contract promises; a CLI may come to write another one."""
    fields = {name: value for name in item.__struct_fields__ if (value := getattr(item, name)) is not UNSET}
    try:
        convert(fields, type(item))
    except ValidationError:
        return False
    return True
