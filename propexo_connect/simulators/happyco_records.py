"""HappyCo's records as its API shows them: one builder per collection, with plausible values for the rest.

The demo and the tests make records with these, so a test writes only the fields that it is about:

    population.insert("inspections", inspection("7301", created_at=noon, status="COMPLETE"))

Ids and people are fictional. Times are written as the vendor writes them, `2026-03-02T15:04:05Z`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

ACCOUNT_ID = "4102"
"""The one account."""


class Account(TypedDict):
    id: str
    name: str


class Address(TypedDict):
    line1: str
    line2: str | None
    city: str
    state: str
    country: str
    postalCode: str


class Property(TypedDict):
    id: str
    name: str
    createdAt: str
    address: Address | None


class Unit(TypedDict):
    """`propertyId` is what relates a unit to its property; the API shows it only by the path to the unit."""

    id: str
    name: str
    propertyId: str


class Reference(TypedDict):
    id: str
    name: str


class Location(TypedDict):
    """A unit, or a property as a whole, with the property it belongs to."""

    id: str
    name: str
    property: Reference


Assignee = TypedDict(
    "Assignee", {"__typename": str, "id": str, "name": str, "email": str | None, "type": str}
)
"""A member or a vendor; `__typename` says which of the API's concrete types it is."""


class Inspection(TypedDict):
    """`createdAt` can be filtered by, and is not part of what the API shows."""

    id: str
    name: str
    status: str
    createdAt: str
    startedAt: str | None
    endedAt: str | None
    scheduledFor: str | None
    dueBy: str | None
    score: float | None
    potentialScore: float | None
    assignedTo: Assignee | None
    locationV2: Location | None
    template: Reference | None
    templateV2: Reference | None


class InspectionReference(TypedDict):
    id: str
    name: str
    status: str


class InspectionDetails(TypedDict):
    inspection: InspectionReference


class WorkOrder(TypedDict):
    id: str
    status: str
    subStatus: str | None
    description: str | None
    summary: str
    priority: str
    createdAt: str
    updatedAt: str
    scheduledFor: str | None
    assignedTo: Assignee | None
    locationV2: Location | None
    inspectionDetails: InspectionDetails | None


class User(TypedDict):
    id: str
    email: str
    name: str
    shortName: str | None
    createdAt: str
    updatedAt: str


class Roles(TypedDict):
    nodes: list[Reference]


class Member(TypedDict):
    isActive: bool
    createdAt: str
    updatedAt: str
    inactivatedAt: str | None
    account: Account
    user: User
    roles: Roles


def written(instant: datetime) -> str:
    """An instant as the vendor writes it: UTC, whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def account(name: str = "Larkfield Residential", account_id: str = ACCOUNT_ID) -> Account:
    return {"id": account_id, "name": name}


def building(
    property_id: str, name: str, *, created_at: datetime, address: Address | None = None
) -> Property:
    return {"id": property_id, "name": name, "createdAt": written(created_at), "address": address}


def unit(unit_id: str, name: str, *, property_id: str) -> Unit:
    return {"id": unit_id, "name": name, "propertyId": property_id}


def location(place: Mapping[str, object], of: Mapping[str, object]) -> Location:
    """The location of a unit, or of a property itself, within a property."""
    return {
        "id": str(place["id"]),
        "name": str(place["name"]),
        "property": {"id": str(of["id"]), "name": str(of["name"])},
    }


def inspection(
    inspection_id: str,
    *,
    created_at: datetime,
    name: str = "Move-out inspection",
    status: str = "SCHEDULED",
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
    scheduled_for: str | None = None,
    due_by: str | None = None,
    score: float | None = None,
    potential_score: float | None = None,
    assigned_to: Assignee | None = None,
    at: Location | None = None,
    template: Reference | None = None,
) -> Inspection:
    return {
        "id": inspection_id,
        "name": name,
        "status": status,
        "createdAt": written(created_at),
        "startedAt": None if started_at is None else written(started_at),
        "endedAt": None if ended_at is None else written(ended_at),
        "scheduledFor": scheduled_for,
        "dueBy": due_by,
        "score": score,
        "potentialScore": potential_score,
        "assignedTo": assigned_to,
        "locationV2": at,
        "template": template,
        "templateV2": template,
    }


def work_order(
    work_order_id: str,
    *,
    created_at: datetime,
    updated_at: datetime | None = None,
    status: str = "OPEN",
    sub_status: str | None = None,
    summary: str = "Tap drips",
    description: str | None = None,
    priority: str = "NORMAL",
    scheduled_for: str | None = None,
    assigned_to: Assignee | None = None,
    at: Location | None = None,
    found_by: InspectionReference | None = None,
) -> WorkOrder:
    return {
        "id": work_order_id,
        "status": status,
        "subStatus": sub_status,
        "description": description,
        "summary": summary,
        "priority": priority,
        "createdAt": written(created_at),
        "updatedAt": written(updated_at or created_at),
        "scheduledFor": scheduled_for,
        "assignedTo": assigned_to,
        "locationV2": at,
        "inspectionDetails": None if found_by is None else {"inspection": found_by},
    }


def member(
    user_id: str,
    name: str,
    *,
    of: Account,
    created_at: datetime,
    email: str | None = None,
    roles: tuple[Reference, ...] = (),
    inactivated_at: datetime | None = None,
) -> Member:
    """The membership of one user in an account; its key is (account id, user id)."""
    since, until = written(created_at), written(inactivated_at or created_at)
    return {
        "isActive": inactivated_at is None,
        "createdAt": since,
        "updatedAt": until,
        "inactivatedAt": None if inactivated_at is None else until,
        "account": {"id": of["id"], "name": of["name"]},
        "user": {
            "id": user_id,
            "email": email or f"{name.lower().replace(' ', '.')}@example.com",
            "name": name,
            "shortName": name.partition(" ")[0],
            "createdAt": since,
            "updatedAt": since,
        },
        "roles": {"nodes": list(roles)},
    }


def member_key(record: Member) -> tuple[str, str]:
    """What identifies a membership: its account and its user."""
    return record["account"]["id"], record["user"]["id"]
