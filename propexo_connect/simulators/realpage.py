"""RealPage's RPX gateway, as public integrations call it; what is not public is made up.

Auth     an element `auth` in the body; a wrong one is a SOAP fault with 500, which shows nothing of it.
Calls    the SOAPAction must name the operation of the body.
Scope    one site a call, but for getsitelist.
"""

from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape

from defusedxml.ElementTree import ParseError, fromstring

from propexo_connect.simulators.api import ApiSimulator, insert_all
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.wire import Answer, Request

AUTH = {
    "pmcid": "100", "username": "propexo", "password": "realpage-demo-password",
    "licensekey": "realpage-demo-license", "system": "OneSite",
}  # fmt: skip
SITES = ("201", "202")
PATH = "/rpxgateway/partner/Example/Example.svc"
NAMESPACE = "http://tempuri.org/"

OPERATIONS = {"getsitelist": "Site", "unitlist": "Unit", "getfloorplanlist": "FloorPlan", "getresidentlist": "Resident",
              "getRentableItems": "Item"}  # fmt: skip
"""By operation the element of a row."""


class RealPage(ApiSimulator):
    """The RPX gateway on loopback."""

    def operation(self, request: Request) -> str:
        return (request.header("soapaction") or "").strip('"').rpartition("/")[2]

    def refusal(self, request: Request) -> Answer | None:  # noqa: ARG002 - said in the answer's body
        return None

    def answer(self, request: Request) -> Answer:
        name = self.operation(request)
        given = _auth(request.body, name)
        if request.path != PATH or name not in OPERATIONS or given is None:
            return _enveloped(_fault("The operation is not known."), 500)
        if any(given.get(part) != value for part, value in AUTH.items()):
            return _enveloped(_fault("Authentication failed."), 500)
        site = given.get("siteid", "")
        if name != "getsitelist" and site not in SITES:
            return _enveloped(_fault("The site is not known."), 500)
        rows = [
            row
            for row in self.population.view(name, self.clock.now()).versions
            if row.content["_site"] in {site, ""}
        ]
        shown = "".join(
            f"<{OPERATIONS[name]}>"
            + "".join(f"<{n}>{escape(str(v))}</{n}>" for n, v in row.content.items() if not n.startswith("_"))
            + f"</{OPERATIONS[name]}>"
            for row in rows
        )
        answer = _enveloped(
            f"<{name}Response><{name}Result><List>{shown}</List></{name}Result></{name}Response>", 200
        )
        return Answer(answer.status, answer.body, answer.headers, {name: tuple(rows)})


def _fault(message: str) -> str:
    return f"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>{message}</faultstring></soap:Fault>"


def _enveloped(inner: str, status: int) -> Answer:
    body = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inner}</soap:Body></soap:Envelope>'
    return Answer(status, body.encode(), (("Content-Type", "text/xml; charset=utf-8"),))


def _auth(body: bytes, operation: str) -> Mapping[str, str] | None:
    """The credentials of a call; None when the body is not one of this operation."""
    try:
        found = fromstring(body).find(f".//{{{NAMESPACE}}}{operation}/{{{NAMESPACE}}}auth")
    except ParseError:
        return None
    return None if found is None else {child.tag.rpartition("}")[2]: child.text or "" for child in found}


def realpage_demo_population(seed: int, now: datetime) -> Population:
    """Two sites with some units, floor plans and residents."""
    made, population = Fiction(seed, now), Population()
    for name, element in OPERATIONS.items():
        for site in SITES:
            for place in range(1 if element == "Site" else 5):
                record = {"Id": f"{element}-{site}-{place}", "Name": made.last(), "Phone": made.phone(),
                    "_site": "" if element == "Site" else site}  # fmt: skip
                insert_all(population, name, [record])
    return population


simulation = Simulation(
    "realpage", RealPage, realpage_demo_population,
    {
        "partner": "Example", "pmc_id": AUTH["pmcid"], "site_ids": SITES, "user": AUTH["username"],
        "password": AUTH["password"], "license_key": AUTH["licensekey"],
        "operations": {
            "sites": {"call": "getsitelist", "once": True, "records": "**.List.Site", "key": ["Id"]},
            "units": {"call": "unitlist", "records": "**.List.Unit", "key": ["Id"]},
            "residents": {"call": "getresidentlist", "records": "**.List.Resident", "key": ["Id"]},
        },
    },
    path=PATH,
)  # fmt: skip
