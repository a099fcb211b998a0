"""Yardi Voyager: residents, units, service requests, ledgers, leads, through its SOAP interfaces. A preview.

API      one .asmx for each interface of a client's own installation; SOAP 1.1. There is no open specification.
Auth     in every body: user, database and server of the client, entity and license of the interface's vendor.
         Calling addresses are usually registered.
Paging   none: one call for each property (or group of properties); long stretches are asked for in pieces.
Filters  whole days of the client's local time, where an operation takes them.
Answers  XML, often in MITS shapes; failures come as SOAP faults, or with 200 and a Message of type Error.
Deletes  are not shown.
"""

from xml.sax.saxutils import escape

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.operations import Operation, by_days, stream_of
from propexo_connect.http.plan import Api, ApiStream, Fault

OPERATIONS = {
    "property_configurations": Operation(call="GetPropertyConfigurations", of="ItfResidentData", once=True),
    "residents": Operation(call="GetResidents", of="ItfResidentData"),
    "resident_data": Operation(call="GetResidentData", of="ItfResidentData"),
    "units": Operation(call="GetUnitInformation", of="ItfResidentData"),
    "service_requests": Operation(call="GetServiceRequest_Search", of="ItfServiceRequests"),
    "resident_transactions": Operation(call="GetResidentTransactions", of="ItfResidentTransactions20"),
    "charges_by_date": Operation(call="GetResidentTransactions_ByChargeDate", of="ItfResidentTransactions20"),
    "charges_by_application_date": Operation(
        call="GetResidentTransactions_ByApplicationDate", of="ItfResidentTransactions20"
    ),
    "lease_charges": Operation(call="GetResidentLeaseCharges", of="ItfResidentTransactions20"),
    "guest_activity": Operation(call="GetYardiGuestActivity_DateRange", of="ItfILSGuestCard"),
}


class YardiConfig(ApiConfig):
    """A client of Yardi Voyager, through interfaces that it licensed."""

    url: str = Setting(description="Address of the web services: https://HOST/CLIENT/webservices.")
    user: str = Setting(description="Name of the interface's user.")
    password: SecretStr = Setting(description="The user's password.")
    server_name: str = Setting(description="Name of the client's database server.")
    database: str = Setting(description="Name of the client's database.")
    platform: str = Setting(default="SQL Server", description="What the database runs on.")
    interface_entity: str = Setting(description="Name under which the interface is licensed.")
    interface_license: SecretStr = Setting(description="License of the interface for this database.")
    properties: tuple[str, ...] = Setting(description="Codes of properties, or of groups of them.")
    namespace: str = Setting(
        default="http://tempuri.org/YSI.Interfaces.WebServices",
        description="Beginning of namespaces and actions.",
    )
    time_zone: str = Setting(default="UTC", description="Zone of the client's days.")
    earliest: str = Setting(default="2020-01-01", description="First day of whole reads by days.")
    operations: dict[str, Operation] = Setting(
        default=OPERATIONS,
        description="The streams: which interface offers what, and the way into the answers.",
    )


CREDENTIALS = (
    "<UserName>{user}</UserName><Password>{password}</Password><ServerName>{server_name}</ServerName>"
    "<Database>{database}</Database><Platform>{platform}</Platform>"
    "<InterfaceEntity>{interface_entity}</InterfaceEntity><InterfaceLicense>{interface_license}</InterfaceLicense>"
)


def called(name: str, operation: Operation, namespace: str) -> ApiStream:
    """The stream of an operation: an envelope for each property."""
    given = "" if operation.once else "<YardiPropertyId>{each}</YardiPropertyId>"
    days = zip(operation.dates, ("{start}", "{end}"), strict=False)
    given += "".join(f"<{one}>{bound}</{one}>" for one, bound in days)
    given += "".join(f"<{one}>{escape(value)}</{one}>" for one, value in operation.parameters.items())
    xml = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<{operation.call} xmlns="{namespace}/{operation.of}">{CREDENTIALS}{given}</{operation.call}>'
        "</soap:Body></soap:Envelope>"
    )
    return stream_of(
        name, operation, "properties", by_days(operation), path=f"/{operation.of}.asmx", xml=xml,
        headers={"SOAPAction": f'"{namespace}/{operation.of}/{operation.call}"'},
        records=operation.records or f"**.{operation.call}Result", absent="empty" if operation.records else "fault",
    )  # fmt: skip


def plan(config: YardiConfig) -> Api:
    """The API, of the operations that the settings name."""
    return Api(
        tuple(called(name, operation, config.namespace) for name, operation in config.operations.items()),
        headers={"Accept": "text/xml"},
        format="xml",
        faults=(Fault("stop", status=(200,), text='messageType="Error"'),),
        quotes_answers=False,
    )


connector = ApiConnector(
    "yardi", "Yardi Voyager", "Property management", YardiConfig, plan, status="preview",
    cannot=(
        "Deleted records, and changes by date of change.",
        "Records one by one, until the settings say where an operation's answers hold them.",
        "RentCafe and Yardi Breeze.",
    ),
)  # fmt: skip
