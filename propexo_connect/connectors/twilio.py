"""Twilio: messages, calls, recordings, numbers and more, of an account and its sub-accounts.

API      2010-04-01, as its OpenAPI document tells. Products with addresses of their own are not read.
Auth     Basic: the SID of the account or of an API key, with its secret.
Limits   not told; 429 with the code 20429.
Paging   PageSize, 50 by default and at most 1,000; then the relative address in next_page_uri.
Filters  the operator is part of a parameter's name: `DateSent>` and `DateSent<`, both ends included. Messages by
         instants in GMT, by the time they were sent; all others by days in UTC.
Cursor   date_updated, written as Tue, 03 Mar 2026 10:00:00 +0000. Lists are filtered by when a thing began, so
         later changes (a message is delivered, a call ends) need the days before to be read again.
Deletes  are not shown.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Basic, Between, Each, Hides, Links


class TwilioConfig(ApiConfig):
    """A Twilio account, by its own secret or by an API key."""

    url: str = Setting(default="https://api.twilio.com", description="Address of the API.")
    sid: str = Setting(description="SID of the account (AC…) or of an API key (SK…).")
    secret: SecretStr = Setting(description="The account's auth token, or the API key's secret.")
    account_sids: tuple[str, ...] = Setting(
        default=(),
        description="Accounts to read; by default the account and its sub-accounts, "
        "which an API key may not be allowed to list.",
    )


DAY = timedelta(days=1)

SENT = Between("date_sent", "DateSent>", "DateSent<", meaning="created", lookback=7 * DAY)
STARTED = Between("start_time", "StartTime>", "StartTime<", written="date", grain="day", meaning="business",
                  lookback=3 * DAY)  # fmt: skip
CREATED = Between("date_created", "DateCreated>", "DateCreated<", written="date", grain="day", meaning="created",
                  lookback=3 * DAY)  # fmt: skip
UPDATED = Between("date_updated", "DateUpdated>", "DateUpdated<", written="date", grain="day")
LOGGED = Between("message_date", "MessageDate>", "MessageDate<", written="date", grain="day", meaning="created",
                 lookback=3 * DAY)  # fmt: skip

# stream, resource, filter, what stays with the vendor, what it is
LISTS = (
    ("messages",               "Messages",             SENT,    ("body",),               "Messages sent and received."),
    ("calls",                  "Calls",                STARTED, (),                      "Calls made and received."),
    ("recordings",             "Recordings",           CREATED, (),                      "Recordings of calls, without the sound."),
    ("conferences",            "Conferences",          UPDATED, (),                      "Conferences."),
    ("transcriptions",         "Transcriptions",       None,    ("transcription_text",), "Transcriptions of recordings."),
    ("notifications",          "Notifications",        LOGGED,  (),                      "Errors and warnings that were logged."),
    ("incoming_phone_numbers", "IncomingPhoneNumbers", None,    (),                      "Numbers of the account."),
    ("outgoing_caller_ids",    "OutgoingCallerIds",    None,    (),                      "Verified numbers to call from."),
    ("addresses",              "Addresses",            None,    (),                      "Addresses for numbers that need one."),
    ("applications",           "Applications",         None,    (),                      "Applications that handle calls and messages."),
    ("queues",                 "Queues",               None,    (),                      "Queues of calls."),
)  # fmt: skip
UNSENT = Hides("Messages that were not sent yet: they have no date to be found by.", "date_sent")

SHARED = "sid account_sid date_created:timestamp@rfc2822 date_updated:timestamp@rfc2822"
PRICE = "price:money price_unit"
FIELDS = {
    "accounts": """sid friendly_name owner_account_sid status type date_created:timestamp@rfc2822
        date_updated:timestamp@rfc2822 auth_token""",
    "messages": f"""{SHARED} date_sent:timestamp@rfc2822 direction from to status body num_segments:int
        num_media:int messaging_service_sid {PRICE} error_code:int error_message api_version uri
        subresource_uris:json""",
    "calls": f"""{SHARED} parent_call_sid direction from from_formatted to to_formatted phone_number_sid status
        start_time:timestamp@rfc2822 end_time:timestamp@rfc2822 duration:int {PRICE} answered_by forwarded_from
        caller_name group_sid queue_time:int trunk_sid api_version uri subresource_uris:json""",
    "recordings": f"""{SHARED} call_sid conference_sid start_time:timestamp@rfc2822 duration:int {PRICE} status
        channels:int source error_code:int media_url encryption_details:json api_version uri
        subresource_uris:json""",
    "conferences": f"""{SHARED} friendly_name region status reason_conference_ended call_sid_ending_conference
        api_version uri subresource_uris:json""",
    "transcriptions": f"""{SHARED} recording_sid status duration:int type {PRICE} transcription_text
        api_version uri""",
    "notifications": f"""{SHARED} call_sid error_code log message_date:timestamp@rfc2822 message_text more_info
        request_method request_url api_version uri""",
    "incoming_phone_numbers": f"""{SHARED} phone_number friendly_name type status origin beta:bool
        capabilities:json address_sid address_requirements identity_sid bundle_sid trunk_sid
        emergency_status emergency_address_sid emergency_address_status sms_application_sid sms_method sms_url
        voice_application_sid voice_caller_id_lookup:bool voice_method voice_url voice_receive_mode
        status_callback status_callback_method api_version uri""",
    "outgoing_caller_ids": f"{SHARED} phone_number friendly_name uri",
    "addresses": f"""{SHARED} friendly_name customer_name street street_secondary city region postal_code
        iso_country emergency_enabled:bool validated:bool verified:bool uri""",
    "applications": f"""{SHARED} friendly_name voice_method voice_url voice_caller_id_lookup:bool sms_method
        sms_url status_callback status_callback_method message_status_callback api_version uri""",
    "queues": f"{SHARED} friendly_name current_size:int max_size:int average_wait_time:int uri",
}


def api(config: TwilioConfig) -> Api:
    """The plan: of the accounts that are named, or of all that can be listed."""
    are_named = bool(config.account_sids)
    owner = "{each}" if are_named else "{parent.sid}"
    streams = (
        ApiStream(name, f"/2010-04-01/Accounts/{owner}/{resource}.json", "sid", description, filter=given,
                  cursor="date_updated", records=name, sensitive=sensitive,
                  hides=(UNSENT,) if name == "messages" else (),
                  each=Each("account_sids") if are_named else None, parent=None if are_named else "accounts")
        for name, resource, given, sensitive, description in LISTS
    )  # fmt: skip
    return Api(
        (
            ApiStream("accounts", "/2010-04-01/Accounts.json", "sid", "The account and its sub-accounts.",
                      cursor="date_updated", records="accounts", sensitive=("auth_token",)),
            *streams,
        ),
        Basic("{sid}", "{secret}"),
        fields=FIELDS,
        paging=Links("next_page_uri", size=1000, limit="PageSize"),
    )  # fmt: skip


connector = ApiConnector(
    "twilio", "Twilio", "Communications", TwilioConfig, api,
    cannot=(
        "Later changes of messages, calls, recordings and notifications that began before the days read again.",
        "Deleted records.",
        "Products with addresses of their own, such as Conversations.",
    ),
)  # fmt: skip
