"""EliseAI (formerly MeetElise): whatever lists your agreement with the vendor gives you.

API      No reference is public; it comes with the vendor's agreement. Of its own this connector knows the
         log-in and nothing else: address, streams, paths, fields, filters and paging are written in the
         connection, as for `rest`.
Auth     OAuth client credentials at login.meetelise.com, the vendor's identity provider. Whether its partner API
         takes them is not public: `auth` replaces them.
Files    Many customers get the same data as scheduled files or through their property system: see `files`.
"""

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.generic_api import GenericConfig, generic_plan
from propexo_connect.http.plan import Api, OAuth


class EliseAIConfig(GenericConfig):
    """EliseAI, by what its documents for you say."""

    token_url: str = Setting(
        default="https://login.meetelise.com/oauth/token", description="Address of the token."
    )
    client_id: str = Setting(default="", description="Client id.")
    client_secret: SecretStr = Setting(default=SecretStr(""), description="Its secret.")
    audience: str = Setting(default="", description="Audience of the token, where one is asked for.")
    scope: str = Setting(default="", description="Scopes of the token, where some are asked for.")


LOG_IN = OAuth(
    "{token_url}", "{client_id}", "{client_secret}", scope="{scope}", extra={"audience": "{audience}"}
)


def api(config: EliseAIConfig) -> Api:
    """What the connection describes, behind the vendor's log-in."""
    return generic_plan(config, auth=(LOG_IN,))


connector = ApiConnector(
    "eliseai", "EliseAI", "AI leasing", EliseAIConfig, api, status="preview",
    tested=("a simulator of no vendor in particular",),
    cannot=("Anything before you write its streams: the vendor's paths and fields are not public.",),
)  # fmt: skip
