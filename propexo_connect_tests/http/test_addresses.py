"""Which addresses may be connected to."""

import pytest

from propexo_connect.http.addresses import refusal

PRIVATE = ("127.0.0.1", "::1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "fd00::1")
NEVER = ("169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "240.0.0.1")
PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
DISGUISED = ("::ffff:127.0.0.1", "::ffff:10.0.0.5", "2002:7f00:1::", "64:ff9b::a00:5")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_open_with_encryption(address: str) -> None:
    assert refusal(address, is_encrypted=True, allow_private=False) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_never_spoken_to_without_encryption(address: str) -> None:
    assert refusal(address, is_encrypted=False, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE + DISGUISED)
def test_a_private_address_is_refused_also_in_disguise(address: str) -> None:
    assert refusal(address, is_encrypted=True, allow_private=False)


@pytest.mark.parametrize("address", PRIVATE + DISGUISED)
def test_a_private_address_is_open_on_request(address: str) -> None:
    assert refusal(address, is_encrypted=False, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_reserved_addresses_are_refused_even_on_request(address: str) -> None:
    assert refusal(address, is_encrypted=True, allow_private=True)


def test_a_disguised_metadata_address_is_refused_even_on_request() -> None:
    assert refusal("::ffff:169.254.169.254", is_encrypted=True, allow_private=True)
