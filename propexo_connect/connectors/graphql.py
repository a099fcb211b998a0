"""Any GraphQL API, without code: queries and connections are written in YAML.

API      one address, `url`; errors that come with status 200 are understood.
Plan     as for `rest`; each stream has a `query` and, mostly, paging of the kind `relay` with its `connection` below
         `data`. Filters go into variables: {kind: between, at: variables, lower: filter.createdAfter}.
"""

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.generic_api import GenericConfig, generic_plan
from propexo_connect.http.plan import Api
from propexo_connect.model.errors import ConfigurationError


class GraphQLConfig(GenericConfig):
    """Any GraphQL API."""


def plan(config: GraphQLConfig) -> Api:
    """The plan that is written.

    Raises:
        ConfigurationError: a stream without a query.
    """
    api = generic_plan(config)
    for stream in api.streams:
        if not stream.query and stream.nested is None:
            raise ConfigurationError(f"the stream '{stream.name}' has no `query`", expected="a GraphQL query")
    return api


connector = ApiConnector("graphql", "Any GraphQL API", "Generic", GraphQLConfig, plan)
