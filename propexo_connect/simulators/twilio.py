"""Twilio's API 2010-04-01, as its OpenAPI document and public client definitions tell.

Auth     Basic: the account's SID with its token, which also opens sub-accounts; an API key opens its own
         account only and may not list accounts: 401, code 20003.
Pages    PageSize 50 by default, over 1,000 cut; next_page_uri is relative and null at the end.
Filters  the operator is part of the parameter's name, `DateSent>`; days, or instants for messages, in GMT; both
         ends included. A message that was not sent is found by no date.
Times    Tue, 03 Mar 2026 10:00:00 +0000.
Errors   {"code", "message", "more_info", "status"}; 429 with the code 20429.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime

from propexo_connect.simulators.api import ApiSimulator, DateRange, Route, insert_all
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

MAIN, SUB = "AC00000000000000000000000000000001", "AC00000000000000000000000000000002"
AUTH_TOKEN = "twilio-demo-token"  # noqa: S105 - fictional
KEY, KEY_SECRET = "SK00000000000000000000000000000001", "twilio-demo-key-secret"
DAY = timedelta(days=1)

CODES = {401: 20003, 404: 20404, 429: 20429}


def by_days(name: str, field: str) -> DateRange:
    """Records whose hidden instant lies within days."""
    return DateRange(f"{name}>", f"{name}<", field, DAY, reads="day")


def listing(resource: str, collection: str, *filters: DateRange) -> Route:
    """A list of an account."""
    style = TokenStyle("PageToken", "PageSize", default=50, cap=1000, records=collection, next="next_page_uri",
                       link="relative", extra={"page": 0, "uri": f"/2010-04-01/{resource}.json"})  # fmt: skip
    return Route(f"/2010-04-01/Accounts/{{account}}/{resource}.json", collection, filters, style,
                 of={"account": "account_sid"}, parents={"account": "accounts"})  # fmt: skip


class Twilio(ApiSimulator):
    """One account with a sub-account on loopback."""

    routes = (
        Route("/2010-04-01/Accounts.json", "accounts",
              style=TokenStyle("PageToken", "PageSize", default=50, cap=1000, records="accounts",
                               next="next_page_uri", link="relative")),
        listing("Messages", "messages", DateRange("DateSent>", "DateSent<", "_sent")),
        listing("Calls", "calls", by_days("StartTime", "_started")),
        listing("Recordings", "recordings", by_days("DateCreated", "_created")),
        listing("Conferences", "conferences", by_days("DateUpdated", "_updated"), by_days("DateCreated", "_created")),
        listing("Transcriptions", "transcriptions"),
        listing("Notifications", "notifications", by_days("MessageDate", "_created")),
        listing("IncomingPhoneNumbers", "incoming_phone_numbers"),
        listing("OutgoingCallerIds", "outgoing_caller_ids"),
        listing("Addresses", "addresses"),
        listing("Applications", "applications"),
        listing("Queues", "queues"),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        pairs = {(MAIN, AUTH_TOKEN): (MAIN, SUB), (KEY, KEY_SECRET): (MAIN,)}
        scheme, _, sent = (request.header("authorization") or "").partition(" ")
        user, _, secret = (
            base64.b64decode(sent).decode().partition(":") if scheme == "Basic" else ("", "", "")
        )
        opened = pairs.get((user, secret), ())
        account = request.path.removeprefix("/2010-04-01/Accounts").strip("/").partition("/")[0]
        is_list = account == ".json"
        if not opened or (is_list and user == KEY) or (account in {MAIN, SUB} and account not in opened):
            return self.refused(401, "Authenticate")
        return None

    def refused(self, status: int, message: str) -> Answer:
        code = CODES.get(status, 20001)
        told = {"code": code, "message": message, "status": status,
                "more_info": f"https://www.twilio.com/docs/errors/{code}"}  # fmt: skip
        return json_answer(told, status)


def twilio_demo_population(seed: int, now: datetime) -> Population:
    """What a leasing office and its sub-account sent, called and recorded within 60 days."""
    made, population = Fiction(seed, now), Population()
    for sid, name in ((MAIN, "Elm Court Leasing"), (SUB, "Harbor Point")):
        insert_all(population, "accounts", [{"sid": sid, "friendly_name": name, "owner_account_sid": MAIN,
            "status": "active", "type": "Full", "auth_token": "twilio-demo-shown-token",
            "date_created": format_datetime(made.ago(900)), "date_updated": format_datetime(made.ago(400))}],
            key="sid")  # fmt: skip
    for account in (MAIN, SUB):
        _account(made, population, account)
    return population


def _account(made: Fiction, population: Population, account: str) -> None:
    """The records of one account."""

    def put(
        collection: str, prefix: str, created: datetime, record: Record, lasts: timedelta = DAY / 24
    ) -> None:
        updated = created + lasts
        sid = f"{prefix}{made.uuid().replace('-', '')}"
        insert_all(population, collection, [{"sid": sid, "account_sid": account,
            "date_created": format_datetime(created), "date_updated": format_datetime(updated),
            "_created": created.isoformat(), "_updated": updated.isoformat(), **record}], key="sid")  # fmt: skip

    for number in range(60):
        at = made.ago(60)
        is_sent = number % 10 != 0
        put("messages", "SM", at, {"body": "Your tour is at 10:00, gate code 0000.", "direction": "outbound-api",
            "from": made.phone(), "to": made.phone(), "num_segments": "1", "num_media": "0",
            "status": "delivered" if is_sent else "scheduled", "price": "-0.00790" if is_sent else None,
            "price_unit": "USD", "date_sent": format_datetime(at) if is_sent else None,
            "_sent": at.isoformat() if is_sent else None})  # fmt: skip
    for _ in range(20):
        at = made.ago(60)
        put("calls", "CA", at, {"from": made.phone(), "to": made.phone(), "direction": "inbound",
            "status": "completed", "duration": "63", "price": "-0.0085", "price_unit": "USD",
            "start_time": format_datetime(at), "end_time": format_datetime(at + timedelta(seconds=63)),
            "_started": at.isoformat()})  # fmt: skip
        put("recordings", "RE", at, {"duration": "60", "channels": 1, "status": "completed"})
        put("conferences", "CF", at, {"friendly_name": "Tour", "status": "completed"}, lasts=2 * DAY)
        put(
            "transcriptions",
            "TR",
            at,
            {"transcription_text": "Hello, it is about the flat.", "duration": "60"},
        )
        put(
            "notifications",
            "NO",
            at,
            {"error_code": "11200", "log": "1", "message_date": format_datetime(at)},
        )
    plain: Sequence[tuple[str, str, Record]] = (
        ("incoming_phone_numbers", "PN", {"phone_number": made.phone(), "capabilities": {"sms": True}}),
        ("outgoing_caller_ids", "PN", {"phone_number": made.phone()}),
        ("addresses", "AD", {"customer_name": "Elm Court", "street": made.street(), "postal_code": "04101"}),
        ("applications", "AP", {"friendly_name": "Front desk"}),
        ("queues", "QU", {"friendly_name": "Leasing", "current_size": 0, "max_size": 100}),
    )
    for collection, prefix, record in plain:
        put(collection, prefix, made.ago(300, 200), record)


simulation = Simulation("twilio", Twilio, twilio_demo_population, {"sid": MAIN, "secret": AUTH_TOKEN})
