"""Endpoint files: what they say, what is wrong with them, and who hears of what."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from propexo_connect.connection.endpoints import (
    EmailConfig,
    LoadedEndpoints,
    SlackConfig,
    WebhookConfig,
    endpoint_config,
    load_endpoints,
)
from propexo_connect.connection.folder import Loaded, load_connections
from propexo_connect.model.errors import ConfigurationError, MissingSecret
from propexo_connect.model.event import EndpointKind, Event, Signature, Subscription
from propexo_connect_tests.connection.fakes import CONNECTORS, DESTINATIONS, GOOD

WEBHOOK = """\
url: https://crm.example.com/hooks
secret: ${CRM_SECRET}
subscribe:
  - events: [data.new, data.update]
    connections: [acme]
    streams: work_orders
"""
SLACK = "kind: slack\nurl: ${SLACK_URL}\nsubscribe: [{events: sync.failed}]\n"
EMAIL = """\
kind: email
host: smtp.example.com
user: connect
password: ${SMTP_PASSWORD}
from: connect@example.com
to: [ops@example.com, boss@example.com]
subscribe:
  - {events: [sync.failed, freshness.overdue], backsync: true, first_sync: true}
"""


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """The folder with these files."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return folder


def load(folder: Path, **files: str) -> LoadedEndpoints:
    """The endpoints of a folder with these files, by name."""
    return load_endpoints(written(folder, {f"endpoints/{name}.yaml": text for name, text in files.items()}))


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with an endpoint `crm`, without the folder's path."""
    (broken,) = load(folder, crm=text).broken
    return [str(problem).replace(f"{folder}/endpoints/", "") for problem in broken.problems]


def test_a_webhook_has_its_defaults(tmp_path: Path) -> None:
    (found,) = load(tmp_path, crm=WEBHOOK).endpoints
    assert (found.name, found.kind, found.is_paused) == ("crm", EndpointKind.WEBHOOK, False)
    assert found.subscriptions == (
        Subscription("crm", (Event.DATA_NEW, Event.DATA_UPDATE), ("acme",), ("work_orders",)),
    )
    config = endpoint_config(found, {"CRM_SECRET": "hunter2"})
    assert isinstance(config, WebhookConfig)
    assert [secret.get_secret_value() for secret in config.secret] == ["hunter2"]
    assert (config.signature, config.header) == (Signature.STANDARD, None)
    assert (config.allow_private_addresses, config.max_in_flight) == (False, 4)
    assert config.timeout == timedelta(seconds=15)


def test_two_secrets_live_while_one_takes_over_from_the_other(tmp_path: Path) -> None:
    text = WEBHOOK.replace("${CRM_SECRET}", "['${NEWER}', '${OLDER}']")
    (found,) = load(tmp_path, crm=text).endpoints
    config = endpoint_config(found, {"NEWER": "n", "OLDER": "o"})
    assert isinstance(config, WebhookConfig)
    assert [secret.get_secret_value() for secret in config.secret] == ["n", "o"]


def test_slack_and_email_have_their_own_settings(tmp_path: Path) -> None:
    mail, slack = load(tmp_path, mail=EMAIL, slack=SLACK).endpoints
    configs = [endpoint_config(one, {"SMTP_PASSWORD": "p", "SLACK_URL": "u"}) for one in (mail, slack)]
    assert isinstance(configs[0], EmailConfig)
    assert configs[0].sender == "connect@example.com"
    assert (configs[0].port, configs[0].security) == (587, "starttls")
    assert isinstance(configs[1], SlackConfig)
    assert mail.subscriptions[0].with_first_sync
    assert mail.subscriptions[0].with_backsync


def test_a_missing_variable_is_named_when_it_is_needed(tmp_path: Path) -> None:
    (found,) = load(tmp_path, crm=WEBHOOK).endpoints
    with pytest.raises(MissingSecret, match=r"endpoint 'crm'.*CRM_SECRET"):
        endpoint_config(found, {})


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    (found,) = load(tmp_path, crm=WEBHOOK).endpoints
    assert "hunter2" not in repr(endpoint_config(found, {"CRM_SECRET": "hunter2"}))
    assert "hunter2" not in "".join(problems(tmp_path, WEBHOOK.replace("${CRM_SECRET}", "hunter2")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WEBHOOK.replace("${CRM_SECRET}", "hunter2"), "crm.yaml:2:1, secret: a value where a secret belongs"),
        (WEBHOOK.replace("secret: ${CRM_SECRET}\n", ""), "crm.yaml:1:1, secret: `secret` is missing"),
        (
            WEBHOOK.replace("${CRM_SECRET}", "['${A}', '${B}', '${C}']"),
            "crm.yaml:2:1, secret: a list. Expected: value should have at most 2 items",
        ),
        (WEBHOOK + "timeot: 5s\n", "crm.yaml:7:1, timeot: unknown field 'timeot'"),
        (WEBHOOK.replace("data.new", "data.nu"), "crm.yaml:4:14, subscribe.0.events.0: 'data.nu'"),
        (WEBHOOK.replace("data.new", "test"), "crm.yaml:4:14, subscribe.0.events.0: 'test'"),
        (WEBHOOK.replace("streams:", "stream:"), "crm.yaml:6:5, subscribe.0.stream: unknown field 'stream'"),
        (WEBHOOK.partition("subscribe")[0], "crm.yaml:1:1, subscribe: `subscribe` is missing"),
        (WEBHOOK.replace("[acme]", "['${NAME}']"), "crm.yaml:3:1, subscribe: a reference to the environment"),
        (WEBHOOK + "kind: pigeon\n", "crm.yaml:7:1, kind: 'pigeon'"),
        (WEBHOOK + "header: X-Sig\n", "`header` beside the standard signature"),
        (WEBHOOK + "max_in_flight: many\n", "crm.yaml:7:1, max_in_flight: 'many'. Expected: a whole number"),
        (WEBHOOK.replace("https", "http"), "an address without encryption"),
        (WEBHOOK.replace("https://", ""), "crm.yaml:1:1, url: an address that is none"),
        (WEBHOOK.replace("//", "//me:hunter2@"), "crm.yaml:1:1, url: an address with a user or a password"),
        (SLACK.replace("${SLACK_URL}", "https://hooks.slack.example/T0/B0/x"), "crm.yaml:2:1, url: a value"),
        (EMAIL.replace("user: connect\n", ""), "`password` without `user`"),
        (EMAIL + "security: none\n", "a password over an open line"),
        (EMAIL.replace("boss@", "boss"), "crm.yaml:6:23, to.1: 'bossexample.com'"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert said in found[0]
    assert "hunter2" not in "".join(found)


def test_plain_http_is_for_private_addresses(tmp_path: Path) -> None:
    text = WEBHOOK.replace("https", "http") + "allow_private_addresses: true\n"
    assert load(tmp_path, crm=text).endpoints


def test_an_address_from_the_environment_is_checked_when_it_is_known(tmp_path: Path) -> None:
    (found,) = load(tmp_path, crm=WEBHOOK.replace("https://crm.example.com/hooks", "${URL}")).endpoints
    assert endpoint_config(found, {"CRM_SECRET": "s", "URL": "https://a.example/"})
    with pytest.raises(ConfigurationError, match="url"):
        endpoint_config(found, {"CRM_SECRET": "s", "URL": "ftp://a.example/"})


def test_a_broken_endpoint_takes_no_other_down(tmp_path: Path) -> None:
    loaded = load(tmp_path, a=WEBHOOK, b="kind: [", c=SLACK)
    assert [one.name for one in loaded.endpoints] == ["a", "c"]
    assert [one.name for one in loaded.broken] == ["b"]


def test_two_files_of_one_name_are_no_two_endpoints(tmp_path: Path) -> None:
    loaded = load_endpoints(written(tmp_path, {"endpoints/a.yaml": WEBHOOK, "endpoints/a.yml": WEBHOOK}))
    assert [one.name for one in loaded.endpoints] == ["a"]
    assert "the name of" in str(loaded.broken[0])


def test_a_name_that_no_connection_could_have_is_refused(tmp_path: Path) -> None:
    (broken,) = load_endpoints(written(tmp_path, {"endpoints/My-CRM.yaml": WEBHOOK})).broken
    assert "taken from the file's name" in str(broken)


def loaded(folder: Path, **endpoints: str) -> Loaded:
    """A folder with the connections `acme` and `other` and these endpoints."""
    files = {"acme.yaml": GOOD, "other.yaml": GOOD.replace("streams: [work_orders]", 'streams: "*"')}
    written(folder, files | {f"endpoints/{name}.yaml": text for name, text in endpoints.items()})
    return load_connections(folder, connectors=CONNECTORS, destinations=DESTINATIONS)


def test_an_endpoint_is_no_connection_and_reaches_those_it_names(tmp_path: Path) -> None:
    found = loaded(tmp_path, crm=WEBHOOK, slack=SLACK, bad="a: [")
    acme, other = found.connections
    assert found.broken == ()
    assert [one.name for one in found.endpoints] == ["crm", "slack"]
    assert [one.name for one in found.broken_endpoints] == ["bad"]
    assert [one.endpoint for one in acme.subscriptions] == ["crm", "slack"]
    assert [one.endpoint for one in other.subscriptions] == ["slack"]


def test_a_plan_knows_those_alone_who_want_its_records(tmp_path: Path) -> None:
    """Who wants to hear of syncs alone must not cost a stream anything."""
    found = loaded(tmp_path, crm=WEBHOOK.replace("[acme]", "'*'"), slack=SLACK)
    wanting = {
        plan.stream.name: [one.endpoint for one in plan.subscriptions] for plan in found.connections[1].plans
    }
    assert wanting.pop("work_orders") == ["crm"]
    assert wanting
    assert set(map(tuple, wanting.values())) == {()}


def test_names_that_nothing_bears_are_told(tmp_path: Path) -> None:
    text = WEBHOOK.replace("[acme]", "[acme, acne]").replace("work_orders", "[work_orders, workorders]")
    assert loaded(tmp_path, crm=text).warnings == (
        "endpoint 'crm' subscribes to the connection 'acne', which does not exist",
        "endpoint 'crm' subscribes to the stream 'workorders', which is not copied",
    )
