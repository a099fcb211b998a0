"""DoorLoop's API, as a client generated from its Swagger tells.

Auth     Authorization: Bearer, else 401.
Pages    {total, data}; page_number and page_size. Unknown names have no effect: a wrong one brings page 1 again.
Filters  days, both ends included, as each list has them; there is none by date of change.
"""

from datetime import datetime, timedelta

from propexo_connect.simulators.api import ApiSimulator, DateRange, Equal, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle
from propexo_connect.simulators.wire import Answer, Request

API_KEY = "doorloop-demo-key"
DAY = timedelta(days=1)


def days(name: str, field: str) -> DateRange:
    """A range of days."""
    return DateRange(f"filter_{name}_from", f"filter_{name}_to", field, DAY, reads="day")


PROPERTY = Equal("filter_property", "property")


class DoorLoop(ApiSimulator):
    """DoorLoop on loopback."""

    style = NumberStyle("page_number", "page_size", default=50, cap=100, records="data", total="total")
    routes = (
        Route("/api/properties", "properties"),
        Route("/api/property-groups", "portfolios"),
        Route("/api/units", "units", (PROPERTY,)),
        Route("/api/leases", "leases", (PROPERTY, days("start_date", "start"), days("end_date", "end"))),
        Route("/api/leases/tenants", "lease_tenants", (days("moved_in_at", "moveInAt"), days("moved_out_at", "moveOutAt"))),
        Route("/api/tenants", "tenants"),
        Route("/api/owners", "owners"),
        Route("/api/vendors", "vendors"),
        Route("/api/users", "users"),
        Route("/api/accounts", "accounts"),
        Route("/api/tasks", "tasks", (days("created_at", "createdAt"), days("due_date", "dueDate"))),
        Route("/api/notes", "notes"),
        Route("/api/files", "files"),
        Route("/api/lease-reversed-payments", "lease_reversed_payments"),
        Route("/api/lease-payments", "lease_payments", (days("date", "date"), PROPERTY)),
        Route("/api/lease-charges", "lease_charges", (days("date", "date"), PROPERTY)),
        Route("/api/lease-credits", "lease_credits", (days("date", "date"), PROPERTY)),
        Route("/api/expenses", "expenses", (days("date", "date"),)),
        Route("/api/vendor-bills", "vendor_bills", (days("date", "date"),)),
        Route("/api/communications", "communications", (days("sent_at", "sentAt"),)),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        return None if request.bearer == API_KEY else self.refused(401, "Unauthorized")


def doorloop_demo_population(seed: int, now: datetime) -> Population:
    """Seven properties with some 40 leases, their people, work and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, **record: object) -> str:
        key = f"{made.number(0x100000, 0xFFFFFF):x}{len(population.truth(collection)):018x}"
        stamps = {"createdAt": iso(made.ago(400, 200)), "updatedAt": iso(made.ago(200))}
        insert_all(population, collection, [{"id": key, **record, **stamps}], key="id")
        return key

    put("users", name="Pat Rivers")
    for name in PLACES:
        home = put(
            "properties", name=name, type="RESIDENTIAL_MULTI_FAMILY", address={"street1": made.street()}
        )
        put("portfolios", name=name, properties=[home])
        put("owners", name=made.last(), dateOfBirth="1960-01-01")
        vendor = put("vendors", name=f"{made.last()} & Co.")
        put("accounts", name="Rent income", type="INCOME", active=True)
        for place in range(6):
            unit = put(
                "units",
                property=home,
                name=f"{place}",
                active=True,
                beds=2,
                baths=1.5,
                marketRent=made.money(900, 2000),
            )
            lease = put("leases", property=home, units=[unit], name=f"{name} {place}", start=str(made.day(300)),
                end=str(made.day(0, 300)), status="ACTIVE", totalBalanceDue=made.money(0, 900))  # fmt: skip
            tenant = put("tenants", firstName=made.first(), lastName=made.last(), dateOfBirth="1990-01-01")
            put(
                "lease_tenants",
                lease=lease,
                property=home,
                tenant={"id": tenant},
                moveInAt=str(made.day(300)),
            )
            put("lease_payments", lease=lease, amountReceived=made.money(9, 2000), **_booked(made))
            for kind in ("lease_charges", "lease_credits"):
                put(kind, lease=lease, totalAmount=made.money(9, 2000), **_booked(made))
            put("tasks", subject=made.one_of(TROUBLES), property=home, dueDate=str(made.day(30, 30)))
            put(
                "communications",
                subject="Your request",
                bodyPreview="…",
                sentAt=iso(made.ago(200)),
                type="EMAIL",
            )
        put("expenses", payToResourceId=vendor, totalAmount=made.money(9, 900), **_booked(made))
        put("vendor_bills", vendor=vendor, totalAmount=made.money(9, 900), **_booked(made))
        put("lease_reversed_payments", lease=name)
        put("notes", title="Called back")
        put("files", name="lease.pdf", mimeType="application/pdf")
    return population


def _booked(made: Fiction) -> dict[str, str]:
    return {"date": str(made.ago(200).date())}


simulation = Simulation("doorloop", DoorLoop, doorloop_demo_population, {"api_key": API_KEY}, path="/api")
