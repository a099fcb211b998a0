"""Propertyware's Open API v1, as its OpenAPI document tells.

Auth     three headers, else 401; refusals are {errorCode, errors: [{key, message}], userMessage}.
Pages    bare arrays, X-Total-Count; limit 100 by default, over 500 cut in silence; letter case counts: a
         wrong path, `Limit` or `OFFSET` gives 404. `orderby` takes the fields of each list, else 400.
Filters  lastModifiedDateTimeStart and -End, both ends included, on every list but the three of names.
         Documents are refused without entityType. Deactivated records and custom fields come when asked for.
Limits   429 beyond ten requests a second are announced: `Propertyware.allowances` turns them on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from propexo_connect.simulators.api import ApiSimulator, DateRange, Equal, Params, Refused, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle, WholeStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

HEADERS = {
    "x-propertyware-client-id": "propertyware-demo-client",
    "x-propertyware-client-secret": "propertyware-demo-secret",
    "x-propertyware-system-id": "propertyware-demo-system",
}
BASE = "/pw/api/rest/v1"

CHANGED = DateRange("lastModifiedDateTimeStart", "lastModifiedDateTimeEnd", "lastModifiedDateTime")
STAMPED = ("createddate", "lastmodifieddatetime", "id")


@dataclass(frozen=True)
class Ordered:
    """`orderby=field asc|desc`: refused for a field that the list is not sorted by."""

    fields: tuple[str, ...]
    names: tuple[str, ...] = ("orderby",)

    def keep(self, params: Params, now: datetime) -> None:  # noqa: ARG002
        for part in filter(None, params.get("orderby", "").split(",")):
            name, _, direction = part.partition(" ")
            if name.lower() not in self.fields or direction not in {"", "asc", "desc"}:
                raise Refused(400, f"orderby: {part} is not supported.")


@dataclass(frozen=True)
class Active:
    """Deactivated records, which come only with `includeDeactivated=true`."""

    names: tuple[str, ...] = ("includeDeactivated",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        return None if params.get("includeDeactivated") == "true" else is_active


def is_active(record: Record) -> bool:
    """Whether a record was not deactivated."""
    return record.get("active") is not False


def by_id(record: Record) -> int:
    """The order of `orderby=id`."""
    number = record["id"]
    return number if isinstance(number, int) else 0


def listed(
    path: str, collection: str, *more: DateRange | Equal | Active, order: tuple[str, ...] = STAMPED
) -> Route:
    """A list with a date of change."""
    return Route(f"{BASE}{path}", collection, (CHANGED, Ordered(order), *more), order=by_id)


def named(path: str, collection: str) -> Route:
    """A short list of names, without pages."""
    return Route(f"{BASE}{path}", collection, style=WholeStyle())


class Propertyware(ApiSimulator):
    """Propertyware on loopback."""

    style = OffsetStyle(default=100, cap=500, total_header="X-Total-Count")
    always_known = ("includeCustomFields",)
    routes = (
        listed("/portfolios", "portfolios", Active()),
        listed("/buildings", "buildings", Active()),
        listed("/units", "units", Active()),
        listed("/leases", "leases", Equal("status", "status"), order=("startdate", "lastmodifieddatetime", "id")),
        listed("/leases/charges", "lease_charges"),
        listed("/leases/payments", "lease_payments"),
        listed("/leases/adjustments", "lease_adjustments", order=("leaseid", "postdate", "id")),
        listed("/leases/creditmemos", "lease_credit_memos"),
        listed("/leases/refunds", "lease_refunds"),
        listed("/leases/discounts", "lease_discounts"),
        listed("/leases/journalentries", "lease_journal_entries"),
        listed("/leases/autocharges", "lease_auto_charges"),
        listed("/contacts", "contacts"),
        listed("/prospects", "prospects"),
        listed("/vendors", "vendors"),
        listed("/workorders", "work_orders"),
        listed("/inspections", "inspections"),
        listed("/bills", "bills"),
        listed("/bills/payments", "bill_payments"),
        listed("/bills/vendorchecks", "vendor_checks"),
        listed("/accounting/generalledger", "general_ledger", order=()),
        listed("/accounting/glaccounts", "gl_accounts", Active(), order=("accountcode", "accountnumber", "id")),
        listed("/accounting/ownerdraws", "owner_draws"),
        listed("/accounting/ownercontributions", "owner_contributions"),
        listed("/docs", "documents", Equal("entityType", "entityType", is_required=True)),
        named("/leases/statuses", "lease_statuses"),
        named("/prospects/statuses", "prospect_statuses"),
        named("/contacts/categories", "contact_categories"),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if any(request.header(name) != value for name, value in HEADERS.items()):
            return self.refused(401, "Invalid client ID or secret.")
        if any(name != name.lower() and name.lower() in {"limit", "offset"} for name, _ in request.query):
            return self.refused(404, "The resource was not found.")
        return None

    def refused(self, status: int, message: str) -> Answer:
        told = {"errorCode": str(status), "errors": [{"key": "request", "message": message}]}
        return json_answer({**told, "userMessage": message}, status)

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        if self.params(request).get("includeCustomFields") != "true":
            route = replace(route, show=_without_custom_fields)
        return super().listed(route, places, request)


def _without_custom_fields(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "customFields"}


def propertyware_demo_population(seed: int, now: datetime) -> Population:
    """Seven portfolios with some forty leases, their people, work and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 0

    def put(collection: str, *records: Record) -> list[Record]:
        return insert_all(population, collection, (_stamped(made, one) for one in records), key="id")

    def next_id() -> int:
        nonlocal number
        number += 1
        return 220_000 + number

    for name, address in ((name, _address(made)) for name in PLACES):
        portfolio, building = next_id(), next_id()
        put("portfolios", {"id": portfolio, "name": name, "abbreviation": name[:3], "active": made.chance(0.8),
            "targetOperatingReserve": made.money(0, 900), "owners": [], "customFields": [],
            "defaultBankAccountNumberAndDescription": "000123 Trust"})  # fmt: skip
        put("buildings", {"id": building, "name": name, "portfolioID": portfolio, "address": address, "active": True,
            "countUnit": 6, "numberOfBathrooms": 1.5, "targetRent": made.money(900, 2000), "targetDeposit": "1 month",
            "customFields": [{"fieldName": "Gate", "value": "East"}]})  # fmt: skip
        put("owner_draws", *_money(made, next_id, 2, portfolioID=portfolio))
        put("owner_contributions", *_money(made, next_id, 1, portfolioID=portfolio))
        for place in range(6):
            unit, lease, contact = next_id(), next_id(), next_id()
            first, last = made.first(), made.last()
            put("units", {"id": unit, "name": f"{place}A", "buildingID": building, "portfolioID": portfolio, "leaseID": lease,
                "active": place != 5, "rentable": True, "ready": made.chance(0.5), "numberOfBedrooms": 2,
                "numberOfBathrooms": 1.5, "targetRent": made.money(900, 2500), "targetDeposit": "1200", "customFields": []})  # fmt: skip
            put("contacts", {"id": contact, "firstName": first, "lastName": last, "email": made.email(first, last),
                "type": "TENANT", "birthDate": "1990-01-01", "mobilePhone": made.phone(), "customFields": []})  # fmt: skip
            put("leases", {"id": lease, "leaseName": f"{place}A - {last}", "status": made.one_of(("Active", "Closed")),
                "portfolioID": portfolio, "buildingID": building, "unitID": unit, "startDate": str(made.day(300)),
                "endDate": str(made.day(0, 300)), "baseRent": made.money(900, 2500), "active": True,
                "arBalance": made.money(0, 900), "contacts": [{"id": contact}],
                "customFields": [{"fieldName": "Parking", "value": "12"}]})  # fmt: skip
            for kind in ("charges", "payments", "adjustments", "credit_memos", "refunds", "discounts"):
                put(f"lease_{kind}", *_money(made, next_id, 1, leaseID=lease, portfolioID=portfolio))
            put(
                "lease_journal_entries",
                {"id": next_id(), "leaseID": lease, "date": str(made.day(90)), "journalEntrySplit": []},
            )
            put(
                "lease_auto_charges",
                {"id": next_id(), "leaseID": lease, "amount": 900.0, "frequency": "MONTHLY"},
            )
            put("work_orders", {"id": next_id(), "number": number, "status": "OPEN", "priority": "HIGH",
                "description": made.one_of(TROUBLES), "buildingID": building, "unitID": unit, "unitIDs": [unit],
                "portfolioID": portfolio, "costEstimate": made.money(0, 900), "customFields": []})  # fmt: skip
            put("inspections", {"id": next_id(), "number": number, "status": "CLOSED", "type": "MOVE_IN",
                "buildingID": building, "inspectionAreas": []})  # fmt: skip
            put(
                "general_ledger",
                {"id": next_id(), "leaseID": lease, "txDate": str(made.day(90)), "glentries": []},
            )
            put("documents", *({"id": next_id(), "entityType": kind, "entityId": owner, "fileName": "file.pdf"}
                for kind, owner in (("LEASE", lease), ("UNIT", unit), ("BILL", building))))  # fmt: skip
        first, last = made.first(), made.last()
        put(
            "prospects",
            {
                "id": next_id(),
                "status": "New",
                "rentMax": made.money(900, 2500),
                "contacts": [],
                "customFields": [],
            },
        )
        put(
            "vendors",
            {
                "id": next_id(),
                "name": f"{last} & Co.",
                "taxId": "00-0000000",
                "active": True,
                "customFields": [],
            },
        )
        put("bills", *_money(made, next_id, 2, billNumber="17"))
        put("bill_payments", *_money(made, next_id, 1, paymentMethod="CHECK"))
        put("vendor_checks", *_money(made, next_id, 1, portfolioID=portfolio))
    put("gl_accounts", *({"id": next_id(), "accountNumber": f"{code:04d}", "name": f"Account {code}",
        "active": code < 12, "bankAccountNumber": "000123456", "bankRoutingNumber": "000000000"} for code in range(1, 13)))  # fmt: skip
    for collection, field in (
        ("lease_statuses", "status"),
        ("prospect_statuses", "status"),
        ("contact_categories", "categoryName"),
    ):
        insert_all(
            population,
            collection,
            ({"id": place, field: word} for place, word in enumerate(("New", "Active", "Closed"))),
            key="id",
        )
    return population


def _stamped(made: Fiction, record: Record) -> Record:
    changed = made.ago(200)
    return {**record, "createdBy": "Pat", "createdDateTime": iso(made.ago(400, 200)),
        "lastModifiedBy": "Pat", "lastModifiedDateTime": iso(changed)}  # fmt: skip


def _address(made: Fiction) -> Record:
    city, state, code = made.city()
    return {"address": made.street(), "city": city, "stateRegion": state, "postalCode": code}


def _money(made: Fiction, next_id: Callable[[], int], count: int, **more: object) -> Iterable[Record]:
    return [
        {"id": next_id(), "amount": made.money(10, 2000), "date": str(made.day(90)), **more}
        for _ in range(count)
    ]


simulation = Simulation(
    "propertyware", Propertyware, propertyware_demo_population,
    {
        "client_id": HEADERS["x-propertyware-client-id"],
        "client_secret": HEADERS["x-propertyware-client-secret"],
        "system_id": HEADERS["x-propertyware-system-id"],
    },
    path=BASE,
)  # fmt: skip
