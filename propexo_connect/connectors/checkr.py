"""Checkr: candidates, invitations, reports and the screenings in them, adverse actions, packages.

API      v1, as summaries of docs.checkr.com tell, read 2026-11; nothing of it was tried on a live account.
Auth     Basic, the secret key as user and an empty password.
Limits   1,200 requests a minute for an account; 429.
Paging   page and per_page (25 by default; more than 100 is said to be refused); next_href is null at the end.
Filters  candidates perhaps by created_after and created_before; until that is confirmed the list is read to its
         end and what is new is kept. Reports have no list: they are asked for one by one, by the ids that
         candidates name, and a report's screenings by the ids that the report names.
Cursor   created_at of candidates. A report changes for days after its candidate was made (completed_at is null
         while it is open): reports of the candidates of the last 60 days are read again each time, all
         of them every 90 days.
Deletes  are not shown.
"""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Basic,
    Between,
    Budget,
    Newest,
    Numbered,
    OnePage,
    Parent,
    Rate,
)
from propexo_connect.model.duration import Duration


class CheckrConfig(ApiConfig):
    """A Checkr account."""

    url: str = Setting(default="https://api.checkr.com/v1", description="Address of the API.")
    api_key: SecretStr = Setting(description="Secret key of the account (Account settings, Developer).")
    per_page: int = Setting(default=25, ge=1, description="Records a request; 100 may be allowed.")
    requests_per_minute: int = Setting(default=1200, ge=1, description="Requests a minute of the account.")
    created_filter: bool = Setting(
        default=False, description="Ask for candidates by created_after and created_before."
    )
    open_for: Duration = Setting(
        default=timedelta(days=60), description="How long after a candidate was made its reports may change."
    )
    include: str | None = Setting(
        default=None, description="What a report is to bring besides, comma-separated (documents, geos)."
    )


ALL_EVERY = timedelta(days=90)
ASKED = Between("created_at", "created_after", "created_before", meaning="created", full_every=ALL_EVERY,
                margin=timedelta(seconds=1))  # fmt: skip
FOUND = Newest("created_at", meaning="created", full_every=ALL_EVERY)
REPORT = Parent("candidate_reports", key="value", changed=True)


def screening(name: str, path: str, what: str) -> ApiStream:
    """The one screening of a kind that a report may have; it names its id in `{path}_id`."""
    return ApiStream(name, f"/reports/{{parent.id}}/{path}/{{parent.{path}_id}}", "id", what, single=True,
                     parent=Parent("reports", changed=True, having=(f"{path}_id",)),
                     add={"report_id": "{parent.id}"}, records="", paging=OnePage())  # fmt: skip


STREAMS = (
    ApiStream("invitations",       "/invitations", "id", "Invitations.", sensitive=("invitation_url",)),
    ApiStream("candidate_reports", key=("candidate_id", "value"), description="Ids of each candidate's reports.",
              parent="candidates", nested="report_ids", add={"candidate_id": "{parent.id}"},
              unconfirmed=("That a candidate names its reports in report_ids.",)),
    ApiStream("reports",           "/reports/{parent.value}", "id", "Reports.", parent=REPORT, single=True,
              params={"include": "{include}"}, records="", paging=OnePage()),
    screening("ssn_traces",                 "ssn_trace",                "Traces of social security numbers."),
    screening("national_criminal_searches", "national_criminal_search", "National criminal searches."),
    screening("federal_criminal_searches",  "federal_criminal_search",  "Federal criminal searches."),
    screening("sex_offender_searches",      "sex_offender_search",      "Searches of sex offender registries."),
    screening("motor_vehicle_reports",      "motor_vehicle_report",     "Motor vehicle reports."),
    ApiStream("report_counties",   key=("report_id", "value"), description="Ids of each report's county searches.",
              parent="reports", nested="county_criminal_search_ids", add={"report_id": "{parent.id}"}),
    ApiStream("county_criminal_searches", "/reports/{parent.report_id}/county_criminal_searches/{parent.value}",
              "id", "County criminal searches.", parent=Parent("report_counties", key="value", changed=True),
              add={"report_id": "{parent.report_id}"}, single=True, records="", paging=OnePage()),
    ApiStream("adverse_actions",   "/reports/{parent.id}/adverse_actions", "id", "Adverse actions.",
              parent=Parent("reports", changed=True), add={"report_id": "{parent.id}"}, paging=OnePage()),
    ApiStream("packages",          "/packages",    "id", "Packages of screenings."),
    ApiStream("programs",          "/programs",    "id", "Programs."),
    ApiStream("nodes",             "/nodes",       "id", "Nodes of the account's hierarchy."),
    ApiStream("geos",              "/geos",        "id", "Places of work."),
    ApiStream("users",             "/users",       "id", "Users of the account."),
)  # fmt: skip

SCREENED = "id object status result completed_at:timestamp turnaround_time:int records:json"
FIELDS = {
    "candidates": """id object first_name middle_name last_name email phone zipcode dob:date ssn
        driver_license_number driver_license_state report_ids:json created_at:timestamp""",
    "invitations": "id object status candidate_id package invitation_url expires_at:timestamp created_at:timestamp",
    "candidate_reports": "value",
    "reports": """id object status result candidate_id package created_at:timestamp completed_at:timestamp
        ssn_trace_id county_criminal_search_ids:json national_criminal_search_id federal_criminal_search_id
        sex_offender_search_id motor_vehicle_report_id""",
    "report_counties": "value",
    **dict.fromkeys(("ssn_traces", "national_criminal_searches", "federal_criminal_searches",
                     "sex_offender_searches", "motor_vehicle_reports", "county_criminal_searches"), SCREENED),
    "adverse_actions": "id object status pre_notice_date:timestamp post_notice_date:timestamp created_at:timestamp",
    "users": "id object name email roles:json",
    "nodes": "id object custom_id name parent_id tier",
}  # fmt: skip


def api(config: CheckrConfig) -> Api:
    """Candidates by the filter that the settings vouch for, and everything that is reached through them."""
    found = ASKED if config.created_filter else FOUND
    candidates = ApiStream(
        "candidates", "/candidates", "id", "Candidates.", cursor="created_at",
        filter=replace(found, lookback=config.open_for),
        sensitive=("dob", "ssn", "driver_license_number"),
        unconfirmed=("That candidates can be asked for by created_after and created_before.",),
    )  # fmt: skip
    return Api(
        (candidates, *STREAMS),
        Basic("{api_key}"),
        fields=FIELDS,
        records="data",
        paging=Numbered(config.per_page, next="next_href", short_is_last=True),
        budget=Budget((Rate("{requests_per_minute}", 60),)),
    )


connector = ApiConnector(
    "checkr", "Checkr", "Screening", CheckrConfig, api, status="preview",
    cannot=(
        "Changes of reports of candidates that are older than `open_for`, until the next full read.",
        "Reports of candidates that do not name them, and screenings of kinds that are not listed here.",
        "Accounts of a partner's customers: their OAuth tokens are not taken.",
        "Deleted records: they leave the lists without a word.",
    ),
)  # fmt: skip
