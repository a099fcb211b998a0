"""What an error says."""

from propexo_connect.model.errors import ConnectError, RateLimited, UnknownName


def test_an_error_is_one_paragraph_of_place_finding_expectation_and_remedy() -> None:
    error = UnknownName(
        "there is no stream 'unit'",
        where="elm.yaml:4",
        expected="one of units, leases",
        remedy="Did you mean 'units'?",
    )
    assert (
        str(error)
        == "elm.yaml:4: there is no stream 'unit'. Expected: one of units, leases. Did you mean 'units'?"
    )


def test_a_place_is_named_once() -> None:
    assert str(ConnectError("no", where="inner").at("outer")) == "inner: no."


def test_what_may_pass_by_itself_is_retryable() -> None:
    assert RateLimited("slow down", retry_after_s=3).retryable
    assert not UnknownName("no").retryable
