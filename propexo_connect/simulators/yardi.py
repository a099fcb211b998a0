"""Yardi Voyager's SOAP interfaces, as public integrations call them; what is not public is made up.

Auth     in every body; a wrong license or password is a Message of type Error, with status 200.
Calls    the SOAPAction and the body's namespace must name the interface and operation, else a SOAP fault and 500.
Scope    one property (by code) a call; unknown codes are a Message of type Error.
Days     FromDate and ToDate, both ends included, where an operation takes them; then both are needed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from defusedxml.ElementTree import ParseError, fromstring

from propexo_connect.simulators.api import ApiSimulator, insert_all
from propexo_connect.simulators.fiction import TROUBLES, Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.wire import Answer, Request

CREDENTIALS = {
    "UserName": "propexo", "Password": "yardi-demo-password", "ServerName": "demo-server", "Database": "demo-database",
    "Platform": "SQL Server", "InterfaceEntity": "Propexo", "InterfaceLicense": "yardi-demo-license",
}  # fmt: skip
CODES = ("elm", "harbor", "larkspur")
BASE = "/client/webservices"
NAMESPACE = "http://tempuri.org/YSI.Interfaces.WebServices"

OPERATIONS = {
    ("ItfResidentData", "GetPropertyConfigurations"): "Properties/Property",
    ("ItfResidentData", "GetResidents"): "Residents/Resident",
    ("ItfResidentData", "GetResidentData"): "LeaseFiles/LeaseFile",
    ("ItfResidentData", "GetUnitInformation"): "UnitInformation/Unit",
    ("ItfServiceRequests", "GetServiceRequest_Search"): "ServiceRequests/ServiceRequest",
    ("ItfResidentTransactions20", "GetResidentTransactions"): "ResidentTransactions/Transaction",
    ("ItfResidentTransactions20", "GetResidentTransactions_ByChargeDate"): "ResidentTransactions/Transaction",
    (
        "ItfResidentTransactions20",
        "GetResidentTransactions_ByApplicationDate",
    ): "ResidentTransactions/Transaction",
    ("ItfResidentTransactions20", "GetResidentLeaseCharges"): "ResidentTransactions/Charge",
    ("ItfILSGuestCard", "GetYardiGuestActivity_DateRange"): "LeadManagement/Prospect",
}
"""By interface and operation the elements of an answer."""

DATED = frozenset({"GetServiceRequest_Search"})


class Yardi(ApiSimulator):
    """Yardi Voyager on loopback."""

    def operation(self, request: Request) -> str:
        return (request.header("soapaction") or "").strip('"').rpartition("/")[2]

    def refusal(self, request: Request) -> Answer | None:  # noqa: ARG002 - said in the answer's body
        return None

    def answer(self, request: Request) -> Answer:
        interface = request.path.removeprefix(f"{BASE}/").removesuffix(".asmx")
        name = self.operation(request)
        given = _parameters(request.body, f"{{{NAMESPACE}/{interface}}}{name}")
        place = OPERATIONS.get((interface, name))
        if request.method != "POST" or given is None or place is None:
            return fault("Server did not recognize the value of HTTP Header SOAPAction.")
        if any(given.get(part) != value for part, value in CREDENTIALS.items()):
            return told(
                name, '<Messages><Message messageType="Error">Invalid interface license.</Message></Messages>'
            )
        code = given.get("YardiPropertyId")
        if name != "GetPropertyConfigurations" and code not in CODES:
            return told(name, '<Messages><Message messageType="Error">Invalid property.</Message></Messages>')
        rows = [
            row
            for row in self.population.view(name, self.clock.now()).versions
            if row.content["_code"] in {code, ""}
        ]
        if name in DATED:
            first, last = given.get("FromDate"), given.get("ToDate")
            if not first or not last:
                return told(
                    name, '<Messages><Message messageType="Error">Dates are needed.</Message></Messages>'
                )
            rows = [row for row in rows if first <= str(row.content["UpdateDate"]) <= last]
        return listed(name, place, rows)


def listed(name: str, place: str, rows: list[Version]) -> Answer:
    """An answer with an element for each row."""
    outer, _, inner = place.partition("/")
    elements = "".join(f"<{inner}>{_children(row.content)}</{inner}>" for row in rows)
    answer = told(name, f"<{outer}>{elements}</{outer}>")
    return Answer(answer.status, answer.body, answer.headers, {name: tuple(rows)})


def told(name: str, inner: str) -> Answer:
    """A result in its envelope."""
    return _enveloped(f"<{name}Response><{name}Result>{inner}</{name}Result></{name}Response>", 200)


def fault(message: str) -> Answer:
    """A SOAP fault."""
    return _enveloped(
        f"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>{message}</faultstring></soap:Fault>",
        500,
    )


def _enveloped(inner: str, status: int) -> Answer:
    body = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inner}</soap:Body></soap:Envelope>'
    return Answer(status, body.encode(), (("Content-Type", "text/xml; charset=utf-8"),))


def _parameters(body: bytes, element: str) -> Mapping[str, str] | None:
    """The children of an operation's element; None when the body has none of this name."""
    try:
        found = fromstring(body).find(f".//{element}")
    except ParseError:
        return None
    return None if found is None else {child.tag.rpartition("}")[2]: child.text or "" for child in found}


def _children(record: Record) -> str:
    return "".join(f"<{n}>{escape(str(v))}</{n}>" for n, v in record.items() if not n.startswith("_"))


def yardi_demo_population(seed: int, now: datetime) -> Population:
    """Three properties with some residents, units, requests and charges, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 0
    for (_, name), place in OPERATIONS.items():
        for code in CODES:
            for _ in range(1 if place == "Properties/Property" else 4):
                number += 1
                record = {"Id": f"t{number:07d}", "Code": code, "Name": made.last(), "Description": made.one_of(TROUBLES),
                    "UpdateDate": str(made.ago(200).astimezone(UTC).date()),
                    "_code": "" if place == "Properties/Property" else code}  # fmt: skip
                insert_all(population, name, [record])
    return population


def _found(place: str) -> str:
    return "**." + place.replace("/", ".")


simulation = Simulation(
    "yardi", Yardi, yardi_demo_population,
    {
        "user": CREDENTIALS["UserName"], "password": CREDENTIALS["Password"], "server_name": CREDENTIALS["ServerName"],
        "database": CREDENTIALS["Database"], "interface_entity": CREDENTIALS["InterfaceEntity"],
        "interface_license": CREDENTIALS["InterfaceLicense"], "properties": CODES,
        "operations": {
            "property_configurations": {"call": "GetPropertyConfigurations", "of": "ItfResidentData", "once": True,
                                        "records": _found("Properties/Property"), "key": ["Id"]},
            "residents": {"call": "GetResidents", "of": "ItfResidentData", "records": _found("Residents/Resident"), "key": ["Id"]},
            "service_requests": {"call": "GetServiceRequest_Search", "of": "ItfServiceRequests", "key": ["Id"],
                                 "records": _found("ServiceRequests/ServiceRequest"), "dates": ("FromDate", "ToDate")},
        },
    },
    path=BASE,
)  # fmt: skip
