"""Files of other machines: over SFTP, and in an object store that speaks S3."""

import gzip
import os
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import paramiko
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import NoCredentialsError
from moto.server import ThreadedMotoServer

from propexo_connect.connectors.base import ReadContext
from propexo_connect.connectors.files import FilesConfig, connector
from propexo_connect.connectors.files_listing import in_our_words
from propexo_connect.connectors.files_remote import open_folder
from propexo_connect.connectors.files_sftp import sftp_options
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    FileMismatch,
    PermissionRefused,
    UnknownName,
    Unreachable,
    VendorFault,
)
from propexo_connect.model.stream import REQUEST_RETRY
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.connectors.test_files import own, records_in
from propexo_connect_tests.connectors.wire import free_port
from propexo_connect_tests.sftp import PASSWORD, USER, SftpServer, sftp_server

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


def config(root: str, options: Mapping[str, str], path: str = "leases/*.csv") -> FilesConfig:
    return FilesConfig.model_validate(
        {"root": root, "storage_options": options, "streams": {"leases": {"path": path, "key": ["id"]}}}
    )


def context() -> ReadContext:
    return ReadContext(SystemClock(), REQUEST_RETRY, log=lambda _: None)


def read(given: FilesConfig, request: Request = WHOLE, position: str | None = None) -> list[dict[str, Any]]:
    with connector.open(given, SystemClock()) as source:
        stream = source.prepare(connector.streams(given)[0])
        pages = list(source.read(stream, request, None, position, context()))
    return [own(record) for page in pages for record in records_in(page)]


def failure(given: FilesConfig) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        read(given)
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r}"
    return caught.value


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]


# -- SFTP --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the server shows, with one file of yesterday and one of today."""
    put(tmp_path / "exports/leases/1.csv", b"id\n1\n", NOON - timedelta(days=1))
    put(tmp_path / "exports/leases/2.csv", b"id\n2\n", NOON)
    return tmp_path


def put(path: Path, content: bytes, at: datetime = NOON) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))


@pytest.fixture
def server(folder: Path) -> Generator[SftpServer]:
    with sftp_server(folder) as running:
        yield running


def over_sftp(
    server: SftpServer, path: str = "leases/*.csv", root: str = "exports", **more: str
) -> FilesConfig:
    options = {"username": USER, "password": PASSWORD, "port": str(server.port), "host_key": server.host_key}
    return config(f"sftp://127.0.0.1/{root}", options | more, path)


def test_files_over_sftp_are_read_in_the_order_of_their_change(server: SftpServer) -> None:
    assert ids(read(over_sftp(server))) == ["1", "2"]
    assert ids(read(over_sftp(server), Request(NOON, NOON))) == ["2"]


def test_packed_and_columnar_files_come_over_sftp_as_well(server: SftpServer, folder: Path) -> None:
    put(folder / "exports/a.jsonl.gz", gzip.compress(b'{"id": "7"}\n' * 50_000, mtime=0))
    pq.write_table(pa.table({"id": ["8"]}), folder / "exports/b.parquet")
    assert len(read(over_sftp(server, "*.jsonl.gz"))) == 50_000
    assert ids(read(over_sftp(server, "*.parquet"))) == ["8"]


def test_a_private_key_logs_in_as_well_as_a_password(server: SftpServer) -> None:
    given = over_sftp(server, password="", private_key=server.user_key)
    assert ids(read(given)) == ["1", "2"]


def test_a_wrong_password_is_refused_credentials(server: SftpServer) -> None:
    assert isinstance(failure(over_sftp(server, password="canary-wrong")), CredentialsRefused)


def test_a_server_with_another_key_gets_no_password(server: SftpServer) -> None:
    other = paramiko.ECDSAKey.generate()
    found = failure(over_sftp(server, host_key=f"{other.get_name()} {other.get_base64()}"))
    assert isinstance(found, ConfigurationError)
    assert "host_key" in str(found)


def test_without_a_host_key_the_known_hosts_of_the_user_decide(
    server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert isinstance(failure(over_sftp(server, host_key="")), ConfigurationError)
    put(tmp_path / ".ssh/known_hosts", f"[127.0.0.1]:{server.port} {server.host_key}\n".encode())
    assert ids(read(over_sftp(server, host_key=""))) == ["1", "2"]


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    options = {"username": USER, "password": PASSWORD, "port": str(free_port()), "host_key": "ssh-rsa AAAA"}
    assert isinstance(failure(config("sftp://127.0.0.1/exports", options)), Unreachable)


def test_a_root_that_is_not_there_is_an_unknown_name(server: SftpServer) -> None:
    assert isinstance(failure(over_sftp(server, root="export")), UnknownName)


def test_a_folder_that_is_not_there_below_the_root_is_no_record(server: SftpServer) -> None:
    assert read(over_sftp(server, "invoices/*.csv")) == []


def test_a_folder_that_may_not_be_listed_is_told_and_not_left_out(server: SftpServer) -> None:
    server.refused.add("leases")
    assert isinstance(failure(over_sftp(server, "**/*.csv")), PermissionRefused)


def test_a_file_that_may_not_be_read_is_told(server: SftpServer) -> None:
    server.refused.add("2.csv")
    assert isinstance(failure(over_sftp(server)), PermissionRefused)


def test_a_link_is_followed_within_the_root_and_refused_beyond(server: SftpServer, folder: Path) -> None:
    put(folder / "elsewhere.csv", b"id\n9\n")
    (folder / "exports/in.csv").symlink_to(folder / "exports/leases/1.csv")
    assert ids(read(over_sftp(server, "in.csv"))) == ["1"]
    (folder / "exports/out.csv").symlink_to(folder / "elsewhere.csv")
    assert isinstance(failure(over_sftp(server, "out.csv")), FileMismatch)


def test_a_file_that_changes_meanwhile_is_read_again(server: SftpServer, folder: Path) -> None:
    given = over_sftp(server)
    with connector.open(given, SystemClock()) as source:
        pages = source.read(connector.streams(given)[0], WHOLE, None, None, context())
        put(folder / "exports/leases/2.csv", b"id\n2\n3\n", NOON)
        first = next(pages)
        assert records_in(first)[0]["id"] == "1"
        put(folder / "exports/leases/2.csv", b"id\n2\n3\n4\n", NOON + timedelta(hours=1))
        with pytest.raises(VendorFault, match="changed"):
            list(pages)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"user": "ann"}, "no option 'user'"),
        ({"port": "0"}, "no number of a port"),
        ({"private_key": "canary-key"}, "private key cannot be read"),
    ],
)
def test_options_that_are_none_are_told_without_being_repeated(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        sftp_options(options)
    assert "canary" not in str(caught.value)


def test_nothing_is_connected_to_before_it_is_asked() -> None:
    folder = open_folder("sftp://nohost.invalid/x", {"host_key": "ssh-rsa AAAA"})
    folder.close()


# -- S3 ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store() -> Generator[str]:
    """URL of an object store on this machine."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(store: str) -> Any:
    """An empty bucket `exports`."""
    s3: Any = boto3.resource(
        "s3", endpoint_url=store, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    made = s3.create_bucket(Bucket="exports")
    made.objects.all().delete()
    return made


def in_store(store: str, path: str = "leases/*.csv", root: str = "exports/crm") -> FilesConfig:
    options = {"key": "canary-key", "secret": "canary-secret", "endpoint_url": store}
    return config(f"s3://{root}", options, path)


def test_objects_are_read_by_their_pattern(store: str, bucket: Any) -> None:
    for name, content in {
        "crm/leases/1.csv": b"id\n1\n",
        "crm/leases/sub/2.csv": b"id\n2\n",
        "crm-old/leases/3.csv": b"id\n3\n",
        "crm/leases/4.csv.gz": gzip.compress(b"id\n4\n", mtime=0),
    }.items():
        bucket.put_object(Key=name, Body=content)
    assert ids(read(in_store(store))) == ["1"]
    assert sorted(ids(read(in_store(store, "**/*.csv")))) == ["1", "2"]
    assert ids(read(in_store(store, "leases/*.csv.gz"))) == ["4"]


def test_a_large_object_comes_in_pieces_and_whole(store: str, bucket: Any) -> None:
    bucket.put_object(Key="crm/leases/1.csv", Body=b"id,text\n" + b"1,some text\n" * 1_000_000)
    assert len(read(in_store(store))) == 1_000_000


@pytest.mark.usefixtures("bucket")
def test_an_empty_prefix_is_no_record_and_a_missing_bucket_an_unknown_name(store: str) -> None:
    assert read(in_store(store)) == []
    assert isinstance(failure(in_store(store, root="nowhere/crm")), UnknownName)


def test_windows_and_resuming_go_by_the_time_of_the_object(store: str, bucket: Any) -> None:
    bucket.put_object(Key="crm/leases/1.csv", Body=b"id\n1\n")
    given = in_store(store)
    assert read(given, Request(datetime.now(UTC) + timedelta(hours=1), None)) == []
    with connector.open(given, SystemClock()) as source:
        (page,) = source.read(connector.streams(given)[0], WHOLE, None, None, context())
    assert read(given, position=page.position) == []


def test_credentials_that_a_store_misses_are_told_as_such() -> None:
    assert isinstance(in_our_words(NoCredentialsError(), "a.csv"), CredentialsRefused)


def test_a_protocol_whose_package_is_not_installed_names_its_extra() -> None:
    with pytest.raises(ConfigurationError, match=r"propexo-connect\[gs\]"):
        open_folder("gs://bucket/x", {})
