"""What a connection says of a foreign program: where it is, and what stands in its configuration file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from propexo_connect.connectors.program import Program
from propexo_connect.model.duration import Size
from propexo_connect.model.errors import ConfigurationError


class ProgramConfig(BaseModel):
    """An executable that is a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = Field(
        min_length=1, description="The program and arguments that every call of it has."
    )
    venv: str | None = Field(
        default=None, description="Folder of the virtual environment in whose bin/ the program lies."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="The program's own configuration. Numbers, true, false and null are handed over as such; "
        "text that looks like one stands in double quotes within single ones.",
    )
    secrets: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="Secrets of its configuration by their path, such as credentials.api_key.",
    )
    environment: tuple[str, ...] = Field(
        default=(), description="Names of variables that it may see; proxies and certificates it always does."
    )
    max_record: Size = Field(default=128 * 1024**2, description="How large one of its messages may be.")

    @model_validator(mode="after")
    def _is_named_within_its_environment(self) -> "ProgramConfig":
        if self.venv is not None and "/" in self.command[0]:
            raise ValueError("with venv, command begins with the bare name of a program")
        return self

    @property
    def program(self) -> Program:
        """The program.

        Raises:
            ConfigurationError: a secret's path leads through something that is no mapping.
        """
        command = self.command
        if self.venv is not None:
            command = (str(Path(self.venv).expanduser().absolute() / "bin" / command[0]), *command[1:])
        settings = cast(dict[str, Any], _meant(self.settings))
        for path, secret in self.secrets.items():
            _put(settings, path, secret.get_secret_value())
        hidden = tuple(secret.get_secret_value() for secret in self.secrets.values())
        return Program(command, settings, hidden, self.environment, self.max_record)


def _meant(value: object) -> object:
    """A value as the program is to get it: connection files hold text only."""
    if isinstance(value, Mapping):
        return {str(name): _meant(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_meant(part) for part in value]
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    is_plain = found is None or isinstance(found, str | bool | int | float)
    # 1e5, 1.50 and the like may be meant as text: only what is written back the same is a number.
    return found if is_plain and (isinstance(found, str) or json.dumps(found) == value) else value


def _put(settings: dict[str, Any], path: str, secret: str) -> None:
    *folders, name = path.split(".")
    place = settings
    for folder in folders:
        inner = place.setdefault(folder, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(
                f"the secret '{path}' leads through '{folder}', which holds a plain value",
                where="secrets",
                remedy="Correct settings or the path.",
            )
        place = cast(dict[str, Any], inner)
    place[name] = secret
