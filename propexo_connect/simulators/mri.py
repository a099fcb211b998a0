"""MRI's APIs of one client, as public integrations call them; what is not public is made up.

Auth     Basic, the user's name of four parts with slashes, else 401.
Calls    `$api` names the API, `$format` must be json here; an unknown API is 404.
Pages    `$top` (at most 1,000, more is refused), then the address in nextPageLink.
Scope    one property a call, else 400.
"""

import base64
from datetime import datetime

from propexo_connect.simulators.api import ApiSimulator, Equal, Route, insert_all
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle
from propexo_connect.simulators.wire import Answer, Request

USER, PASSWORD = "C100/DEMO/propexo/mri-demo-partner-key", "mri-demo-password"
PROPERTIES = ("ELM", "OAK")
PATH = "/mriapiservices/api.asp"
LEASES = "MRI_S-PMRM_ResidentialLeaseDetailsByPropertyID"


class Mri(ApiSimulator):
    """MRI on loopback."""

    style = TokenStyle(
        "$skiptoken", "$top", default=1000, cap=1000, over_cap="refuse", records="value",
        next="nextPageLink", link="absolute",
    )  # fmt: skip
    routes = (
        Route(
            PATH, "leases", (Equal("PropertyID", "PropertyID", is_required=True),), also=("$api", "$format")
        ),
    )

    def refusal(self, request: Request) -> Answer | None:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.header("authorization") != f"Basic {pair}":
            return self.refused(401, "Unauthorized")
        asked = dict(request.query)
        if asked.get("$api") != LEASES:
            return self.refused(404, "There is no such API.")
        if asked.get("$format") != "json":
            return self.refused(400, "$format must be json.")
        return None


def mri_demo_population(seed: int, now: datetime) -> Population:
    """Two properties with some leases."""
    made, population = Fiction(seed, now), Population()
    for place in PROPERTIES:
        for number in range(12):
            insert_all(population, "leases", [{"LeaseID": f"{place}{number:03d}", "PropertyID": place,
                "ResidentName": made.last(), "LeaseStart": str(made.day(300)), "Rent": f"{made.money(900, 2000):.2f}"}],
                key="LeaseID")  # fmt: skip
    return population


simulation = Simulation(
    "mri", Mri, mri_demo_population,
    {
        "host": "mri.example.com", "client_id": "C100", "database": "DEMO", "user": "propexo",
        "partner_key": "mri-demo-partner-key", "password": PASSWORD, "property_ids": PROPERTIES,
        "operations": {"lease_details": {"call": LEASES, "records": "value", "key": ["LeaseID"]}},
    },
    path=PATH,
)  # fmt: skip
