"""A session's modes, config options and slash commands, as an editor shows them. Pure.

The mode is told twice, as `modes` and as a config option, because clients know one or the other: both come from one
state, so that they cannot differ.
"""

from __future__ import annotations

from typing import Any, Final

from protocol.wire.acp import MODE_OF, MODES

Json = dict[str, Any]

MODE_OPTION: Final = "mode"
MODEL_OPTION: Final = "model"
EFFORT_OPTION: Final = "effort"

DEFAULT: Final = "default"
"""The model and the effort that the CLI chooses where nobody else does."""

_MODE_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "default": ("Ask first", "Asks before it changes or runs anything"),
    "acceptEdits": ("Accept edits", "Edits files in the project without asking"),
    "plan": ("Plan", "Makes a plan and changes nothing"),
    "bypassPermissions": ("Full access", "Asks for nothing"),
}

DESCRIPTION_LIMIT: Final = 300
"""Characters of a command's description. Skills describe themselves to the model at length (1,500 characters were seen
with claude 2.1.329), and an editor has a line for it."""

_EFFORT_NAMES: Final = {"xhigh": "Extra high"}

NOT_HERE: Final = frozenset(
    {
        "agents",
        "clear",
        "color",
        "config",
        "cost",
        "effort",
        "exit",
        "focus",
        "heapdump",
        "keybindings-help",
        "login",
        "logout",
        "mcp",
        "model",
        "new",
        "output-style",
        "output-style:new",
        "quit",
        "release-notes",
        "reset",
        "resume",
        "todos",
    }
)
"""Commands that open a screen of the CLI's own terminal, or do what the editor itself does by other means."""


class Options:
    """What can be chosen in one session, and what is.

    Args:
        modes: the runtime modes that can be had.
        models: as `list_models` gives them.
        chosen: `model`, `runtime_mode`, `effort` to begin with; None where the CLI's own default holds.
    """

    def __init__(self, modes: list[str], models: list[Json], chosen: Json) -> None:
        self.available_modes = modes
        """The runtime modes that can be had."""
        self._models = models
        self.mode: str = chosen.get("runtime_mode") or "supervised"
        """The runtime mode, or the CLI's word for one that the contract has no word for."""
        self.model: str = chosen.get("model") or DEFAULT
        """The value of the chosen model."""
        self.effort: str = chosen.get("effort") or DEFAULT

    # What can be chosen

    @property
    def mode_id(self) -> str:
        """The current mode's id."""
        return MODE_OF.get(self.mode, self.mode)

    def runtime_mode(self, id: str) -> str | None:
        """The runtime mode behind a mode's id; None for one that is not on offer."""
        mode = MODES.get(id)
        return mode if mode in self.available_modes else None

    def values(self, option: str) -> list[str]:
        """The values that an option takes; none for an option that there is not."""
        return [value for value, _, _ in self._choices(option)]

    # What is told of it

    def modes(self) -> Json:
        """`modes` of the answers that begin a session."""
        available = [_described({"id": id, "name": name}, text) for id, name, text in self._choices(MODE_OPTION)]
        return {"currentModeId": self.mode_id, "availableModes": available}

    def config(self) -> list[Json]:
        """All config options, the most important first."""
        options = [
            self._select(MODE_OPTION, "Mode", "mode", self.mode_id),
            self._select(MODEL_OPTION, "Model", "model", self.model),
        ]
        if self._choices(EFFORT_OPTION):
            options.append(self._select(EFFORT_OPTION, "Effort", "thought_level", self.effort))
        return options

    def mode_update(self) -> Json:
        """Goes before `config_update` when the mode has changed."""
        return {"sessionUpdate": "current_mode_update", "currentModeId": self.mode_id}

    def config_update(self) -> Json:
        """What is sent when something has changed: the state of all."""
        return {"sessionUpdate": "config_option_update", "configOptions": self.config()}

    def learn_mode(self, mode: str) -> bool:
        """The CLI says which mode it is in; whether that is news."""
        news, self.mode = mode != self.mode, mode
        return news

    def learn_model(self, name: str) -> bool:
        """The CLI says which model it uses, by a value or by the model's own name; whether that is news."""
        chosen = self._find(self.model)
        if name == self.model or (chosen is not None and name == chosen.get("resolved_model")):
            return False
        same = [model["value"] for model in self._models if name in (model["value"], model.get("resolved_model"))]
        self.model = same[0] if same else name
        return True

    def _select(self, id: str, name: str, category: str, value: str) -> Json:
        options = [_described({"value": each, "name": text}, more) for each, text, more in self._choices(id)]
        return {
            "id": id,
            "name": name,
            "category": category,
            "type": "select",
            "currentValue": value,
            "options": options,
        }

    def _choices(self, option: str) -> list[tuple[str, str, str | None]]:
        if option == MODE_OPTION:
            ids = [id for id, mode in MODES.items() if mode in self.available_modes]
            ids += [] if self.mode_id in ids else [self.mode_id]
            return [(id, *_MODE_TEXTS.get(id, (id, None))) for id in ids]
        if option == MODEL_OPTION:
            known = [(model["value"], model["name"], model.get("description")) for model in self._models]
            return known if self._find(self.model) else [*known, (self.model, self.model, None)]
        if option == EFFORT_OPTION:
            return self._efforts()
        return []

    def _efforts(self) -> list[tuple[str, str, str | None]]:
        model = self._find(self.model)
        levels = list(model.get("effort_levels") or ()) if model is not None else []
        if not levels:
            return []
        levels += [] if self.effort in (*levels, DEFAULT) else [self.effort]
        named = [(level, _EFFORT_NAMES.get(level) or level.capitalize(), None) for level in levels]
        return [(DEFAULT, "Default", "What the model's makers recommend"), *named]

    def _find(self, value: str) -> Json | None:
        return next((model for model in self._models if model["value"] == value), None)


def commands_update(commands: list[Json]) -> Json:
    """`available_commands_update`, of commands as `list_commands` gives them."""
    shown = []
    for command in commands:
        name = command["name"]
        if name in NOT_HERE or name.startswith("_"):
            continue
        one: Json = {"name": name, "description": (command.get("description") or "")[:DESCRIPTION_LIMIT]}
        if command.get("argument_hint"):
            one["input"] = {"hint": command["argument_hint"]}
        shown.append(one)
    return {"sessionUpdate": "available_commands_update", "availableCommands": shown}


def _described(value: Json, description: str | None) -> Json:
    return {**value, "description": description} if description else value
