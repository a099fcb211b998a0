"""Reading what a plan describes (`http.plan`): the part of every HTTP connector that is the same."""

from propexo_connect.connectors.api.config import ApiConfig
from propexo_connect.connectors.api.connector import ApiConnector

__all__ = ["ApiConfig", "ApiConnector"]
