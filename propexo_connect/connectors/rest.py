"""Any REST API, without code: its log-in, paging, filters and streams are written in YAML.

API      what `url` names; JSON, JSON Lines, CSV or XML.
Plan     the same values that vendors' connectors are made of; in the connection under `source`, or in a file of its
         own that `spec` names and that several connections may share. Texts of the plan hold {name} for what stands
         under `secrets` and `settings`, {parent.id}, {start}, {end} and the like.
"""

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.generic_api import GenericConfig, generic_plan
from propexo_connect.http.plan import Api


class RestConfig(GenericConfig):
    """Any REST API."""


def plan(config: RestConfig) -> Api:
    """The plan that is written."""
    return generic_plan(config)


connector = ApiConnector("rest", "Any REST API", "Generic", RestConfig, plan)
