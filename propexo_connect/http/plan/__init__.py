"""What a vendor's API is, as validated values: log-in, requests, paging, filters, fan-out, limits.

A vendor's file composes these values, and the generic connectors read the same ones from YAML. Nothing
here talks to anybody; `connectors.api` reads what a plan says. Everything an author needs is named here.
"""

from propexo_connect.http.plan.api import Api, Lookup
from propexo_connect.http.plan.auth import (
    AnyLogIn,
    Basic,
    Bearer,
    Headers,
    Login,
    OAuth,
    Query,
    Signed,
)
from propexo_connect.http.plan.budget import Budget, Rate
from propexo_connect.http.plan.faults import Fault, Faults
from propexo_connect.http.plan.fields import ApiField, fields_of
from propexo_connect.http.plan.filters import Between, Newest
from propexo_connect.http.plan.paging import (
    AnyPaging,
    LastId,
    Links,
    Numbered,
    Offsets,
    OnePage,
    Relay,
    Tokens,
)
from propexo_connect.http.plan.stream import ApiStream, Changes, Each, Hides, Parent

__all__ = [
    "AnyLogIn",
    "AnyPaging",
    "Api",
    "ApiField",
    "ApiStream",
    "Basic",
    "Bearer",
    "Between",
    "Budget",
    "Changes",
    "Each",
    "Fault",
    "Faults",
    "Headers",
    "Hides",
    "LastId",
    "Links",
    "Login",
    "Lookup",
    "Newest",
    "Numbered",
    "OAuth",
    "Offsets",
    "OnePage",
    "Parent",
    "Query",
    "Rate",
    "Relay",
    "Signed",
    "Tokens",
    "fields_of",
]
