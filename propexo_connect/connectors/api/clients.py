"""The clients of one connection: one with its credentials, and bare ones for logging in."""

import threading
from contextlib import ExitStack

import httpx

from propexo_connect.connectors.api.config import ApiConfig, secrets_of, state_folder
from propexo_connect.http.client import HttpClient
from propexo_connect.http.logins import Credentials, credentials
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.template import Names, fill_text, text_of
from propexo_connect.http.throttle import PROCESS, Throttle, Window, seconds_until_reset
from propexo_connect.http.tokens import TokenStore, key_from, name_from
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError


def address_of(api: Api, settings: Names) -> str:
    """Where the API is. The default of `url` may itself refer to settings: https://{corp_id}.example.com

    Raises:
        ConfigurationError: there is no address.
    """
    address = fill_text(fill_text(api.url, settings) or "", settings)
    if not address:
        raise ConfigurationError("'url' is missing", expected="the address of the API")
    return address.rstrip("/")


class Clients:
    """What speaks to a vendor, until it is closed; safe between threads.

    Args:
        settings: as templates call them, secrets in plain text.
        transport: what carries requests, in place of sockets.
    """

    def __init__(
        self,
        api: Api,
        config: ApiConfig,
        clock: Clock,
        settings: Names,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api = api
        self._config = config
        self._clock = clock
        self._settings = settings
        self._transport = transport
        self._secrets = secrets_of(config)
        self._open = ExitStack()
        self._bare: dict[str, HttpClient] = {}
        self._lock = threading.Lock()
        self.address = address_of(api, settings)
        self.credentials: Credentials = credentials(
            api.log_ins, settings, self._bare_client, clock, self._token_store()
        )
        self.main = self._main_client(self.credentials)

    def close(self) -> None:
        """Close the connections."""
        self._open.close()

    def _main_client(self, known: Credentials) -> HttpClient:
        client = HttpClient(
            self.address,
            clock=self._clock,
            allow_private_addresses=self._config.allow_private_addresses,
            auth=known.token,
            headers=known.headers,
            secrets=(*self._secrets, *known.headers.values()),
            quotes_answers=self._api.quotes_answers,
            retry_statuses=frozenset(self._api.retry),
            throttle=self._throttle(),
            sign=known.sign,
            heed=self._silence_s if self._api.budget.remaining else None,
            transport=self._transport,
        )
        return self._open.enter_context(client)

    def _bare_client(self, address: str) -> HttpClient:
        """A client without credentials, at the API's address or, where it is not "", at another."""
        with self._lock:
            client = self._bare.get(address)
            if client is None:
                client = HttpClient(
                    address or self.address,
                    clock=self._clock,
                    allow_private_addresses=self._config.allow_private_addresses,
                    secrets=self._secrets,
                    quotes_answers=self._api.quotes_answers,
                    transport=self._transport,
                )
                self._bare[address] = self._open.enter_context(client)
            return client

    def _throttle(self) -> Throttle:
        """The limits that the plan names; also without any, for after a 429 all slow down together."""
        budget = self._api.budget
        base = httpx.URL(self.address).path.rstrip("/")
        windows = tuple(
            Window(
                int(text_of(fill_text(str(rate.count), self._settings) or "1")),
                rate.seconds,
                tuple(path if base and path.startswith(base) else f"{base}{path}" for path in rate.only),
                rate.per_path,
            )
            for rate in budget.rates
        )
        told = fill_text(str(budget.in_flight), self._settings) if budget.in_flight is not None else None
        whom = [text_of(self._settings.get(name) or "") for name in budget.shared_by] or self._secrets
        credential = name_from(self.address, *whom)
        return PROCESS.of(credential, windows, int(told) if told else None, self._clock)

    def _silence_s(self, headers: httpx.Headers) -> float:
        budget = self._api.budget
        now = self._clock.now().timestamp()
        return seconds_until_reset(headers, budget.remaining, budget.reset, budget.reset_is, now)

    def _token_store(self) -> TokenStore | None:
        folder = state_folder(self._config)
        if folder is None:
            return None
        given = self._config.token_key
        own = [secret for secret in self._secrets if given is None or secret != given.get_secret_value()]
        key = given.get_secret_value().encode() if given is not None else key_from(own)
        return TokenStore(folder / "tokens", key)
