"""Secrets are names in files and values only while a sync runs."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, field_validator, model_validator

from propexo_connect.connection.document import Document
from propexo_connect.connection.problem import InvalidConnection
from propexo_connect.connection.secret import resolve_secrets
from propexo_connect.connection.systems import read_config
from propexo_connect.model.errors import ConfigurationError, MissingSecret
from propexo_connect_tests.connection.fakes import SOURCE, AcmeConfig, parsed


class Odd(BaseModel):
    """Types that make something else of a text, and rules of their own."""

    url: AnyHttpUrl | None = None
    folder: Path | None = None
    port: int = Field(1, ge=1)
    base: str = "https://x"
    one: str | None = None
    two: str | None = None
    options: dict[str, str] = {}
    token: SecretStr | None = Field(None, alias="api-token")

    @field_validator("base")
    @classmethod
    def _secure(cls, base: str) -> str:
        if not base.startswith("https://"):
            raise ValueError("a base that begins with https://")
        return base.rstrip("/")

    @model_validator(mode="after")
    def _one_of_two(self) -> "Odd":
        if self.one and self.two and self.one == self.two:
            raise ValueError("one and two that differ")
        return self


def read(**content: Any) -> Odd:
    """An odd configuration from what was written."""
    config, problems = read_config(Document({}), (), Odd, content)
    assert not problems
    assert isinstance(config, Odd)
    return config


def test_nothing_is_read_from_the_environment_while_a_connection_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "hunter2")
    config = parsed().source_config
    assert isinstance(config, AcmeConfig)
    assert config.password.get_secret_value() == "${ACME_PASSWORD}"


def test_secrets_are_filled_in_for_a_sync() -> None:
    found = parsed(
        source={**SOURCE, "keys": ["${A}", "${B}"], "login": {"user": "${USER}x", "token": "${T}"}}
    )
    environ = {"ACME_PASSWORD": "p", "A": "1", "B": "2", "USER": "u", "T": "t"}
    config = found.source_settings(environ)
    assert isinstance(config, AcmeConfig)
    assert config.password.get_secret_value() == "p"
    assert [key.get_secret_value() for key in config.keys] == ["1", "2"]
    assert config.login is not None
    assert (config.login.user, config.login.token.get_secret_value()) == ("ux", "t")
    assert "hunter" not in repr(config)


def test_every_missing_variable_is_named_with_connection_and_field() -> None:
    found = parsed(source={**SOURCE, "email": "${MAIL}"})
    with pytest.raises(MissingSecret) as caught:
        found.source_settings({"ACME_PASSWORD": ""})
    assert "connection 'demo', source" in str(caught.value)
    assert "MAIL (not set) for the field 'email'" in str(caught.value)
    assert "ACME_PASSWORD (empty) for the field 'password'" in str(caught.value)


@pytest.mark.parametrize("field", ["password", "keys", "login"])
@pytest.mark.parametrize("value", ["hunter2", "x${NAME}", "${NAME:-hunter2}", "", "hunter2${A}"])
def test_a_secret_that_is_written_out_is_refused_and_not_shown(field: str, value: str) -> None:
    written: dict[str, Any] = {
        "password": value,
        "keys": ["${A}", value],
        "login": {"user": "u", "token": value},
    }
    with pytest.raises(InvalidConnection) as caught:
        parsed(source={**SOURCE, field: written[field]})
    (problem,) = caught.value.problems
    assert (
        problem.path
        == {"password": "source.password", "keys": "source.keys.1", "login": "source.login.token"}[field]
    )
    assert "hunter2" not in str(caught.value)


def test_a_secret_is_refused_also_where_it_is_given_in_python() -> None:
    with pytest.raises(InvalidConnection, match="secret belongs"):
        parsed(source={**SOURCE, "password": SecretStr("hunter2")})


def test_a_secret_of_the_wrong_shape_is_not_shown() -> None:
    with pytest.raises(InvalidConnection) as caught:
        parsed(source={**SOURCE, "login": "hunter2", "keys": "hunter2"})
    assert "hunter2" not in str([problem for problem in caught.value.problems if "keys" in problem.path])


def test_a_value_of_any_type_may_come_from_the_environment() -> None:
    found = parsed(
        source={**SOURCE, "port": "${PORT}", "region": "${REGION}", "url": "${URL}", "zip_code": "01234"}
    )
    config = found.source_settings(
        {"ACME_PASSWORD": "p", "PORT": "8443", "REGION": "eu", "URL": "http://localhost"}
    )
    assert isinstance(config, AcmeConfig)
    assert (config.port, config.region, config.url, config.zip_code) == (
        8443,
        "eu",
        "http://localhost",
        "01234",
    )


def test_a_value_from_the_environment_that_does_not_fit_is_named_and_not_shown() -> None:
    found = parsed(source={**SOURCE, "port": "${PORT}"})
    with pytest.raises(ConfigurationError) as caught:
        found.source_settings({"ACME_PASSWORD": "p", "PORT": "hunter2"})
    assert "'port' (PORT)" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_reference_stays_what_was_written_in_types_that_change_texts() -> None:
    config = read(url="https://${HOST}/api", folder="${HOME_OF_FILES}/in", options={"a": "${A}"})
    resolved = resolve_secrets(config, {"HOST": "acme.test", "HOME_OF_FILES": "/srv", "A": "b"})
    assert str(resolved.url) == "https://acme.test/api"
    assert (resolved.folder, resolved.options) == (Path("/srv/in"), {"a": "b"})


def test_other_fields_are_checked_beside_one_that_waits_for_the_environment() -> None:
    content: dict[str, Any] = {"base": "${BASE}", "port": "many"}
    config, problems = read_config(Document(content), (), Odd, content)
    assert config is None
    assert [problem.path for problem in problems] == ["port"]


def test_rules_of_a_configuration_hold_when_its_values_are_known() -> None:
    config = read(base="${BASE}", one="${ONE}", two="x", port="7")
    assert config.port == 7
    with pytest.raises(ConfigurationError, match=r"'base' \(BASE\)"):
        resolve_secrets(config, {"BASE": "ftp://x", "ONE": "y"})
    assert resolve_secrets(config, {"BASE": "https://y/", "ONE": "y"}).base == "https://y"
    with pytest.raises(ConfigurationError, match="do not fit together"):
        resolve_secrets(config, {"BASE": "https://y", "ONE": "x"})


def test_a_rule_that_needs_no_environment_is_checked_at_once() -> None:
    config, problems = read_config(Document({}), (), Odd, {"one": "x", "two": "x", "api-token": "${T}"})
    assert config is None
    assert (problems[0].found, problems[0].expected) == (
        "settings that do not go together",
        "one and two that differ",
    )


def test_a_field_is_written_and_resolved_by_its_alias() -> None:
    config = read(**{"api-token": "${T}"})
    resolved = resolve_secrets(config, {"T": "t"})
    assert resolved.token is not None
    assert resolved.token.get_secret_value() == "t"
