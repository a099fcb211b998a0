"""Entrata's gateway, as a client generated from its OpenAPI document tells.

Calls    POST {org}/v1/{service}, the method and its version in the body; another version, service or method is
         a fault, and so is a method that the key was not granted (`granted`).
Faults   {"response": {"error": {"code", "message"}}}, some with HTTP 200, some with 400; the numbers are made up.
Needs    propertyId (one) or propertyIds; leads and lead events need dates, lead events also event types.
Pages    page_no and per_page (5 to 1,000) in the query, for the methods that page; others send all.
Filters  days as MM/DD/YYYY in Mountain Time, both ends included; MM/YYYY for post months, which mean the
         present one when they are missing. Deleted work orders, disabled units, closed items and reversals come
         only when asked for.
Limits   `per_minute` for each method, told as a fault with code 429 and HTTP 200.
Values   text; a list of one is an object.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from propexo_connect.simulators.api import ApiSimulator, DateRange, Params, Refused, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.wire import Answer, Request, json_answer

ORGANIZATION, API_KEY = "example", "entrata-demo-key"
BASE = f"/ext/orgs/{ORGANIZATION}/v1"
DAY = timedelta(days=1)
MOUNTAIN = "America/Denver"


def days(field: str, lower: str, upper: str, *, requires: tuple[str, ...] = ()) -> DateRange:
    """Days of Mountain Time."""
    return DateRange(lower, upper, field, DAY, MOUNTAIN, "us_day", requires)


@dataclass(frozen=True)
class PostMonths:
    """`postMonthFrom` and `postMonthTo` as MM/YYYY; the present month where they are missing."""

    names: tuple[str, ...] = ("postMonthFrom", "postMonthTo")

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:
        present = now.astimezone(ZoneInfo(MOUNTAIN)).strftime("%m/%Y")
        first, last = (_month(params.get(name) or present) for name in self.names)
        return lambda record: first <= _month(str(record["postMonth"])) <= last


def _month(text: str) -> str:
    """02/2026 as 2026-02."""
    month, _, year = text.partition("/")
    if not (month.isdecimal() and year.isdecimal() and 1 <= int(month) <= 12):
        raise Refused(400, f"{text} is not a post month.")
    return f"{int(year):04d}-{int(month):02d}"


@dataclass(frozen=True)
class Method:
    """One method of a service.

    Args:
        place: the way to the list in the result; `group` names the hidden field by which rows share an element,
            and `inside` puts a group into its element.
        of: the parameter of properties. needs: further parameters. hides: by parameter (to be 1) the hidden mark
            of rows that come only with it.
    """

    name: str
    service: str
    collection: str
    place: str
    of: str = ""
    version: str = "r1"
    filters: tuple[DateRange | PostMonths, ...] = ()
    pages: bool = False
    needs: tuple[str, ...] = ()
    hides: Mapping[str, str] | None = None
    group: str = ""
    inside: Callable[[str, list[object]], object] | None = None


CREATED = days(
    "_created", "createdOnDateFrom", "createdOnDateTo", requires=("createdOnDateFrom", "createdOnDateTo")
)
EVENTS = days("_date", "eventDateFrom", "eventDateTo", requires=("eventDateFrom", "eventDateTo"))

METHODS = (
    Method("getProperties", "properties", "properties", "PhysicalProperty.Property"),
    Method("getPropertyUnits", "propertyunits", "units", "properties.property", "propertyIds",
           hides={"includeDisabledUnits": "_disabled"}, group="_property",
           inside=lambda key, rows: {"propertyId": key, "units": {"unit": rows}}),
    Method("getFloorPlans", "properties", "floor_plans", "FloorPlans.FloorPlan", "propertyId",
           hides={"includeDisabledFloorplans": "_disabled"}),
    Method("getUnitsAvailabilityAndPricing", "propertyunits", "unit_availability", "PropertyUnits.PropertyUnit", "propertyId"),
    Method("getCustomers", "customers", "customers", "Customers.Customer", "propertyId"),
    Method("getLeases", "leases", "leases", "leases.lease", "propertyId", pages=True,
           hides={"includeOtherIncomeLeases": "_other_income"}),
    Method("getLeads", "leads", "leads", "prospects.prospect", "propertyId", filters=(CREATED,), pages=True),
    Method("getLeadEvents", "leads", "lead_events", "prospects.prospect", "propertyId", filters=(EVENTS,), pages=True,
           needs=("eventTypeIds",), group="_application",
           inside=lambda key, rows: {"applicationId": key, "events": {"event": rows}}),
    Method("getLeaseArTransactions", "artransactions", "ar_transactions", "leases.lease", "propertyId", pages=True,
           filters=(days("_date", "transactionFromDate", "transactionToDate"),), group="_lease",
           hides={"showFullLedger": "_closed", "includeReversals": "_reversal"},
           inside=lambda key, rows: {"id": key, "customers": {"customer": {"id": "1"}, "ledgers": {
               "ledger": {"id": "5", "name": "Rent", "transactions": {"transaction": rows}}}}}),
    Method("getArPayments", "arpayments", "ar_payments", "ArPayments.ArPayment", filters=(days("_date", "fromDate", "toDate"),)),
    Method("getArInvoices", "artransactions", "ar_invoices", "arInvoices.arInvoice", "propertyId", pages=True,
           filters=(days("_date", "fromDate", "toDate"),)),
    Method("getGlTransactions", "financial", "gl_transactions", "properties.property", "propertyIds", filters=(PostMonths(),),
           group="_account", needs=("isDetailed",),
           inside=lambda key, rows: {"transactions": {"transaction": [{
               "@attributes": {"accountId": key, "accountNumber": key, "accountName": f"Account {key}"},
               "glDetails": {"glDetail": rows}}]}}),
    Method("getInvoices", "vendors", "vendor_invoices", "invoices.invoice", version="r2", pages=True,
           filters=(days("_date", "fromDate", "toDate"),)),
    Method("getWorkOrders", "maintenance", "work_orders", "workOrders.workOrder", "propertyId",
           filters=(days("_updated", "lastUpdatedOnFromDate", "lastUpdatedOnToDate"),),
           hides={"includeDeletedWorkOrders": "_deleted"}),
    Method("getInspections", "maintenance", "inspections", "inspections.inspection", pages=True,
           filters=(days("_date", "fromDate", "toDate"),)),
    Method("getRentersInsurancePolicies", "leases", "insurance_policies", "LeaseApplication.LA_Lease", "propertyId",
           group="_lease", inside=lambda key, rows: {"Identification": {"IDValue": key}, "InsurancePolicies": {
               "InsurancePolicy": rows[0] if len(rows) == 1 else rows}}),
    Method("getCallLogs", "leasingcenter", "call_logs", "calls.call", "propertyIds", pages=True,
           filters=(days("_date", "startDate", "endDate"),)),
)  # fmt: skip


class Entrata(ApiSimulator):
    """Entrata on loopback."""

    granted: frozenset[str] = frozenset(method.name for method in METHODS)
    per_minute: int | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._called: dict[str, deque[float]] = {}

    def operation(self, request: Request) -> str:
        method = self._method(request)
        return method.collection if method else "other"

    def refusal(self, request: Request) -> Answer | None:  # noqa: ARG002 - for subclasses
        """None: what is refused here depends on the method."""
        return None

    def refused(self, status: int, message: str) -> Answer:
        return json_answer(
            {"response": {"error": {"code": status, "message": message}}}, 400 if status < 402 else 200
        )

    def answer(self, request: Request) -> Answer:
        told = _body(request)
        if request.header("x-api-key") != API_KEY or told.get("auth") != {"type": "apikey"}:
            return self.refused(401, "The API key is not valid.")
        method = self._method(request)
        if method is None:
            return self.refused(404, "There is no such method.")
        if method.name not in self.granted:
            return self.refused(403, f"The key is not granted {method.name}.")
        if self._is_over(method):
            return self.refused(429, "Too many requests.")
        try:
            return self._answered(method, _params(told), dict(request.query), str(told.get("requestId")))
        except Refused as refused:
            return self.refused(refused.status, refused.message)

    def _method(self, request: Request) -> Method | None:
        """The method of this name and version, in this service."""
        asked = _body(request).get("method")
        asked = cast("dict[str, object]", asked) if isinstance(asked, dict) else {}
        for method in METHODS:
            if (method.name, method.version) == (asked.get("name"), asked.get("version")):
                return method if request.path == f"{BASE}/{method.service}" else None
        return None

    def _is_over(self, method: Method) -> bool:
        if self.per_minute is None:
            return False
        now = self.clock.monotonic()
        with self._allowing:
            called = self._called.setdefault(method.name, deque())
            while called and called[0] <= now - 60:
                called.popleft()
            called.append(now)
            return len(called) > self.per_minute

    def _answered(self, method: Method, params: Params, query: Params, number: str) -> Answer:
        for name in (method.of, *method.needs):
            if name and not params.get(name):
                raise Refused(400, f"{name} is required.")
        groups = self._groups(method, self._wanted(method, params))
        if method.pages and query:
            size, page = int(query.get("per_page", "100")), int(query.get("page_no", "1"))
            if not 5 <= size <= 1000:
                raise Refused(400, "per_page must lie between 5 and 1000.")
            groups = groups[(page - 1) * size : page * size]
        shown = [_shown(method, key, rows) for key, rows in groups]
        result: object = shown[0] if len(shown) == 1 else shown
        for step in reversed(method.place.split(".")):
            result = {step: result}
        served = {method.collection: tuple(row for _, rows in groups for row in rows)}
        return json_answer({"response": {"requestId": number, "code": 200, "result": result}}, served=served)

    def _wanted(self, method: Method, params: Params) -> list[Version]:
        now = self.clock.now()
        tests = [test for one in method.filters if (test := one.keep(params, now)) is not None]
        hidden = [mark for name, mark in (method.hides or {}).items() if str(params.get(name)) != "1"]
        properties = set(params[method.of].split(",")) if method.of else None
        return [
            row
            for row in self.population.view(method.collection, now).versions
            if (properties is None or row.content["_property"] in properties)
            and not any(row.content.get(mark) for mark in hidden)
            and all(test(row.content) for test in tests)
        ]

    def _groups(self, method: Method, rows: Sequence[Version]) -> list[tuple[str, list[Version]]]:
        if not method.group:
            return [("", [row]) for row in rows]
        groups: dict[str, list[Version]] = {}
        for row in rows:
            groups.setdefault(str(row.content[method.group]), []).append(row)
        return list(groups.items())


def _shown(method: Method, key: str, rows: list[Version]) -> object:
    bare: list[object] = [
        {name: value for name, value in row.content.items() if not name.startswith("_")} for row in rows
    ]
    return method.inside(key, bare) if method.inside else bare[0]


def _body(request: Request) -> dict[str, object]:
    try:
        told = request.json
    except ValueError:
        return {}
    return cast("dict[str, object]", told) if isinstance(told, dict) else {}


def _params(told: dict[str, object]) -> Params:
    method = cast("dict[str, object]", told["method"])
    return {name: str(value) for name, value in cast("dict[str, object]", method.get("params") or {}).items()}


def entrata_demo_population(seed: int, now: datetime) -> Population:
    """Seven properties with some 40 leases, their people, work and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 3000

    def put(collection: str, key: str, /, **record: object) -> None:
        insert_all(population, collection, [{"_key": key, **record}], key="_key")

    def next_id() -> str:
        nonlocal number
        number += 1
        return str(number)

    for name in PLACES:
        home = next_id()
        city, state, code = made.city()
        put("properties", home, PropertyID=home, MarketingName=name, Type="Apartment", YearBuilt="1990", IsDisabled="0",
            Address={"Address": made.street(), "City": city, "State": state, "PostalCode": code})  # fmt: skip
        plan = next_id()
        put("floor_plans", plan, Identification={"IDValue": plan, "@attributes": {"IDType": "FloorPlanID"}}, Name="A1",
            PropertyId=home, UnitCount="6", IsDisabled=made.chance(0.2), _property=home)  # fmt: skip
        for place in range(6):
            unit, lease, person, lead = next_id(), next_id(), next_id(), next_id()
            first, last = made.first(), made.last()
            put("units", unit, id=unit, unitNumber=f"{place}0{place}", floorplanId=plan, noOfBedrooms="2", squareFeet="640",
                _property=home, _disabled=place == 5)  # fmt: skip
            put(
                "unit_availability",
                unit,
                UnitSpace={"UnitNumber": f"{place}", "Availability": "Available"},
                _property=home,
            )
            put("customers", person, **{"@attributes": {"Id": person, "ExternalId": ""}}, FirstName=first, LastName=last,
                Email=made.email(first, last), PhoneNumber=made.phone(), _property=home)  # fmt: skip
            put("leases", lease, id=lease, leaseStatusTypeId="4", leaseType="Standard", unitId=unit, unitNumberSpace=f"{place}",
                isMonthToMonth="0", leaseIntervals={"leaseInterval": []}, _property=home, _other_income=place == 4)  # fmt: skip
            put("leads", lead, applicationId=lead, status="Guest Card Completed", leadSource="Website",
                customers={"customer": []}, _property=home, **_dated(made, "createdOn", "_created"))  # fmt: skip
            for _ in range(2):
                event, entry = next_id(), next_id()
                put("lead_events", event, eventId=event, typeId="17", type="Call", _application=lead, _property=home,
                    **_dated(made, "date"))  # fmt: skip
                put("ar_transactions", entry, id=entry, arCodeName="Rent", amount=str(made.money(900, 2000)), _lease=lease,
                    _property=home, _closed=made.chance(0.5), _reversal=made.chance(0.1), **_dated(made, "transactionDate"))  # fmt: skip
                detail = next_id()
                put("gl_transactions", detail, **{"@attributes": {"id": detail, "transactionType": "AR"}}, debit="0.00",
                    credit=str(made.money(1, 900)), memo="", _account="4010", _property=home, **_posted(made))  # fmt: skip
            put("ar_payments", next_id(), ArPaymentId=str(number), PropertyName=name, PaymentAmount=str(made.money(9, 2000)),
                PaymentStatus="Captured", **_dated(made, "PaymentDate"))  # fmt: skip
            put("ar_invoices", next_id(), id=str(number), propertyId=home, leaseId=lease, invoiceType="Standard",
                _property=home, **_dated(made, "invoiceDate"))  # fmt: skip
            put("work_orders", next_id(), maintenanceRequestId=str(number), propertyId=home, unitNumber=f"{place}",
                nameFirst=first, nameLast=last, maintenanceStatus="Open", maintenanceDescription=made.one_of(TROUBLES),
                isDeleted=str(int(place == 3)), _property=home, _deleted=place == 3, **_dated(made, "createdOn", "_updated"))  # fmt: skip
            put("insurance_policies", next_id(), id=str(number), leaseId=lease, policyNumber=f"P-{number}", liability="100000",
                _lease=lease, _property=home)  # fmt: skip
        put(
            "vendor_invoices",
            next_id(),
            id=str(number),
            invoiceNumber="17",
            amount="90.10",
            **_dated(made, "postDate"),
        )
        put(
            "inspections",
            next_id(),
            id=str(number),
            propertyId=home,
            inspectionStatusType="Open",
            **_dated(made, "scheduledDate"),
        )
        put(
            "call_logs",
            next_id(),
            id=str(number),
            propertyId=home,
            callType="Lead",
            _property=home,
            **_dated(made, "_day"),
        )
    return population


def _dated(made: Fiction, shown: str, hidden: str = "_date") -> dict[str, str]:
    """A moment, as the vendor shows it in Mountain Time and as it can be filtered by."""
    at = made.ago(200)
    return {
        shown: at.astimezone(ZoneInfo(MOUNTAIN)).strftime("%m/%d/%Y"),
        hidden: at.astimezone(UTC).isoformat(),
    }


def _posted(made: Fiction) -> dict[str, str]:
    at = made.ago(200)
    return {"postMonth": at.strftime("%m/%Y"), "postDate": at.strftime("%m/%d/%Y")}


simulation = Simulation(
    "entrata", Entrata, entrata_demo_population,
    {"organization": ORGANIZATION, "api_key": API_KEY, "lead_event_types": "17"}, path=BASE,
)  # fmt: skip
