"""Self-hosted data movement for proptech, as a Dagster code location."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from propexo_connect.orchestration.factory import build_connection_defs

__all__ = ["build_connection_defs"]


def __getattr__(name: str) -> Any:
    # Dagster takes more than a second to import, which the command line does not need to wait for.
    if name == "build_connection_defs":
        from propexo_connect.orchestration.factory import build_connection_defs  # noqa: PLC0415

        return build_connection_defs
    raise AttributeError(f"module 'propexo_connect' has no attribute '{name}'")
