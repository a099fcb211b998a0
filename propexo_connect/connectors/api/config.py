"""The settings that every HTTP connector has, and what they are called in templates."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic import Field as Setting

from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.duration import Duration


class ApiConfig(BaseModel):
    """What a user may set for any API; a vendor's own model adds its credentials and its `url`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Setting(default="", description="Address of the API.")
    allow_private_addresses: bool = Setting(
        default=False, description="Allow an address in a private network, also without encryption."
    )
    in_flight: int = Setting(
        default=4, ge=1, le=64, description="How many requests of one stream are on their way at once."
    )
    page_size: int | None = Setting(
        default=None, ge=1, description="Records a request; by default as many as the vendor allows."
    )
    reveal: tuple[str, ...] = Setting(
        default=(),
        description="Sensitive fields to bring all the same, as `stream.field` (PINs, door codes, tax ids).",
    )
    prove_filters: bool = Setting(
        default=True, description="Prove once that the vendor honours the filters that it is asked with."
    )
    longest_read: Duration = Setting(
        default=timedelta(hours=12), description="After how long a read that finds no end is given up."
    )
    state_dir: Path | None = Setting(
        default=None,
        description=f"Folder for stored tokens; by default the one that {STATE_VARIABLE} names.",
    )
    token_key: SecretStr | None = Setting(
        default=None,
        description="Key that encrypts stored tokens; by default made of the connection's own secrets.",
    )


def names_of(config: ApiConfig) -> dict[str, object]:
    """The settings as templates call them, secrets in plain text; `secrets` and `settings` come flat."""
    names: dict[str, object] = {}
    for name in type(config).model_fields:
        value = getattr(config, name, None)
        if isinstance(value, Mapping) and name in {"secrets", "settings"}:
            names |= {str(key): _plain(part) for key, part in value.items()}
        else:
            names[name] = _plain(value)
    return names


def secrets_of(config: ApiConfig) -> tuple[str, ...]:
    """Every secret of the settings, in plain text."""
    found: list[str] = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        parts = list(value.values()) if isinstance(value, Mapping) else [value]
        found += [part.get_secret_value() for part in parts if isinstance(part, SecretStr)]
    return tuple(secret for secret in found if secret)


def state_folder(config: ApiConfig) -> Path | None:
    """Where tokens and proofs outlive a sync; None when nobody said."""
    named = os.environ.get(STATE_VARIABLE)
    return config.state_dir or (Path(named) if named else None)


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
