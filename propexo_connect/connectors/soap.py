"""Any SOAP or XML interface, without code: envelopes and the way into their answers are written in YAML.

API      what `url` names; requests are XML texts with {name} for secrets, settings and bounds, put in escaped.
Plan     as for `rest`; each stream has an `xml` body, `headers: {SOAPAction: …}`, and `records`, the names of elements
         from the outermost inwards (`**` for any depth). A SOAP fault is a failure, also with status 200. Elements
         become objects of their attributes and children; one child of a name is a value, several are a list.
"""

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.generic_api import GenericConfig, generic_plan
from propexo_connect.http.plan import Api


class SoapConfig(GenericConfig):
    """Any SOAP or XML interface."""


def plan(config: SoapConfig) -> Api:
    """The plan that is written; answers are XML unless it says otherwise."""
    return generic_plan(config, format="xml", headers={"Accept": "text/xml"})


connector = ApiConnector("soap", "Any SOAP or XML interface", "Generic", SoapConfig, plan)
