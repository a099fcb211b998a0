"""ResMan's older partner API, as public integrations call it; what is not public is made up.

Auth     partner id, API key and account in the form, else 401.
Scope    one property (by GUID) a call, else 400.
Days     StartDate and EndDate of events, both needed, both ends included.
"""

from datetime import datetime
from urllib.parse import parse_qsl

from propexo_connect.simulators.api import ApiSimulator, insert_all
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.wire import Answer, Request, json_answer

CREDENTIALS = {"IntegrationPartnerID": "700", "ApiKey": "resman-demo-key", "AccountID": "400"}
PROPERTIES = ("6f6f0000-0000-4000-8000-000000000001", "6f6f0000-0000-4000-8000-000000000002")

METHODS = {
    "/Leasing/GetCurrentResidents": "Residents", "/Leasing/GetProspectSources": "Sources",
    "/Leasing/GetLostProspectReasons": "Reasons", "/Leasing/GetEmployees": "Employees",
    "/Events/GetMoveIns": "MoveIns", "/Events/GetMoveOuts": "MoveOuts", "/MITS/GetMarketing2_0": "Units",
}  # fmt: skip
"""By path the name of the list in the answer."""


class ResMan(ApiSimulator):
    """ResMan on loopback."""

    def operation(self, request: Request) -> str:
        return request.path.rpartition("/")[2]

    def refusal(self, request: Request) -> Answer | None:
        form = dict(parse_qsl(request.body.decode()))
        if any(form.get(name) != value for name, value in CREDENTIALS.items()):
            return self.refused(401, "The partner or key is not valid.")
        if request.header("content-type") != "application/x-www-form-urlencoded":
            return self.refused(415, "A form is needed.")
        if form.get("PropertyID") not in PROPERTIES:
            return self.refused(400, "PropertyID is not valid.")
        if request.path.startswith("/Events/") and not (form.get("StartDate") and form.get("EndDate")):
            return self.refused(400, "StartDate and EndDate are needed.")
        return None

    def answer(self, request: Request) -> Answer:
        if request.method != "POST" or request.path not in METHODS:
            return self.refused(404, "There is no such method.")
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        form = dict(parse_qsl(request.body.decode()))
        first, last = form.get("StartDate", ""), form.get("EndDate", "9999")
        name = self.operation(request)
        rows = [
            row
            for row in self.population.view(name, self.clock.now()).versions
            if row.content["_property"] == form["PropertyID"] and first <= str(row.content["Date"]) <= last
        ]
        shown = [{n: v for n, v in row.content.items() if not n.startswith("_")} for row in rows]
        return json_answer({METHODS[request.path]: shown}, served={name: tuple(rows)})


def resman_demo_population(seed: int, now: datetime) -> Population:
    """Two properties with some residents and events of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    for path in METHODS:
        for place in PROPERTIES:
            for _ in range(6):
                insert_all(population, path.rpartition("/")[2], [{"Id": made.uuid(), "Name": made.last(),
                    "Date": str(made.ago(200).date()), "_property": place}])  # fmt: skip
    return population


simulation = Simulation(
    "resman", ResMan, resman_demo_population,
    {
        "partner_id": CREDENTIALS["IntegrationPartnerID"], "api_key": CREDENTIALS["ApiKey"],
        "account_id": CREDENTIALS["AccountID"], "property_ids": PROPERTIES,
        "operations": {
            "current_residents": {"call": "GetCurrentResidents", "of": "Leasing", "records": "Residents", "key": ["Id"]},
            "move_ins": {"call": "GetMoveIns", "of": "Events", "records": "MoveIns", "key": ["Id"],
                         "dates": ("StartDate", "EndDate")},
        },
    },
)  # fmt: skip
