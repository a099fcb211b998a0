"""RealPage: sites, units, floor plans, residents, leases, through the RPX gateway. A preview.

API      one SOAP address for each partner (RPX gateway, OneSite); there is no open specification.
Auth     an element `auth` in every body: management company, site, user, password, license key, system.
Paging   none: one call for each site, and what comes is how things stand now.
Deletes  are not shown.
"""

from xml.sax.saxutils import escape

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.operations import Operation, by_days, stream_of
from propexo_connect.http.plan import Api, ApiStream

OPERATIONS = {
    "sites": Operation(call="getsitelist", once=True),
    "units": Operation(call="unitlist"),
    "floor_plans": Operation(call="getfloorplanlist"),
    "residents": Operation(call="getresidentlist"),
    "rentable_items": Operation(call="getRentableItems"),
}


class RealPageConfig(ApiConfig):
    """A management company in RealPage, through a partner's access to the gateway."""

    url: str = Setting(
        default="https://gateway.rpx.realpage.com/rpxgateway/partner/{partner}/{partner}.svc",
        description="Address of the partner's service.",
    )
    partner: str = Setting(description="Name of the partner, as it stands in the address.")
    pmc_id: str = Setting(description="Id of the management company.")
    site_ids: tuple[str, ...] = Setting(description="Ids of the sites to read.")
    user: str = Setting(description="Name of the user.")
    password: SecretStr = Setting(description="The user's password.")
    license_key: SecretStr = Setting(description="The partner's license key.")
    system: str = Setting(default="OneSite", description="The system behind the gateway.")
    namespace: str = Setting(default="http://tempuri.org/", description="Namespace of the operations.")
    action: str = Setting(default="http://tempuri.org/IRPXService/", description="Beginning of actions.")
    time_zone: str = Setting(default="UTC", description="Zone of the company's days.")
    earliest: str = Setting(default="2020-01-01", description="First day of whole reads by days.")
    operations: dict[str, Operation] = Setting(
        default=OPERATIONS, description="The streams: the operations, and the way into their answers."
    )


AUTH = (
    "<auth><pmcid>{pmc_id}</pmcid><siteid>{each?}</siteid><username>{user}</username>"
    "<password>{password}</password><licensekey>{license_key}</licensekey><system>{system}</system></auth>"
)


def called(name: str, operation: Operation, config: RealPageConfig) -> ApiStream:
    """The stream of an operation: an envelope for each site."""
    days = dict(zip(operation.dates, ("{start}", "{end}"), strict=False))
    given = "".join(f"<{one}>{bound}</{one}>" for one, bound in days.items())
    given += "".join(f"<{one}>{escape(value)}</{one}>" for one, value in operation.parameters.items())
    xml = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<{operation.call} xmlns="{config.namespace}">{AUTH}{given}</{operation.call}>'
        "</soap:Body></soap:Envelope>"
    )
    return stream_of(
        name, operation, "site_ids", by_days(operation), xml=xml,
        headers={"SOAPAction": f'"{config.action}{operation.call}"'},
        records=operation.records or f"**.{operation.call}Result", absent="empty" if operation.records else "fault",
    )  # fmt: skip


def plan(config: RealPageConfig) -> Api:
    """The API, of the operations that the settings name."""
    return Api(
        tuple(called(name, operation, config) for name, operation in config.operations.items()),
        headers={"Accept": "text/xml"},
        format="xml",
        quotes_answers=False,
    )


connector = ApiConnector(
    "realpage", "RealPage", "Property management", RealPageConfig, plan, status="preview",
    cannot=(
        "Deleted records, and changes by date of change.",
        "Records one by one, until the settings say where an operation's answers hold them.",
        "residentlistinfo and getleaseinfo until they are named in `operations`: they need a status and lease ids.",
        "RealPage Exchange, which is closed.",
    ),
)  # fmt: skip
