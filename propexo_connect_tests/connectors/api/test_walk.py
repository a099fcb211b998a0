"""Records in lists within lists."""

import httpx
import pytest

from propexo_connect.connectors.api.walk import Walk
from propexo_connect.http.plan import ApiStream, Numbered
from propexo_connect.model.errors import VendorFault
from propexo_connect_tests.connectors.api.bench import answered, bench

LEDGER = {
    "leases": {
        "lease": [
            {"id": "7", "ledgers": {"ledger": {"id": "1", "rows": [{"n": "1"}, {}]}}},
            {"id": "8", "ledgers": {"ledger": [{"id": "2", "rows": {"n": "3"}}, {"id": "3"}]}},
            {"id": "9", "ledgers": []},
        ]
    }
}

ROWS = ApiStream(
    "rows", "/rows", ("leaseId", "n"), records="leases.lease.*.ledgers.ledger.*.rows",
    carry={"leaseId": "1.id", "ledger": "2.id"},
)  # fmt: skip


def test_records_are_taken_out_of_lists_within_lists_with_what_the_outer_ones_tell() -> None:
    """A lone object is a list of one, and an element without the rest of the way has no records."""
    with bench(lambda _: answered(LEDGER), ROWS) as source:
        assert source.records("rows") == [
            {"leaseId": "7", "ledger": "1", "n": "1"},
            {"leaseId": "7", "ledger": "1"},
            {"leaseId": "8", "ledger": "2", "n": "3"},
        ]


def test_a_lone_outer_element_is_a_list_of_one() -> None:
    lone = {"leases": {"lease": LEDGER["leases"]["lease"][0]}}
    with bench(lambda _: answered(lone), ROWS) as source:
        assert [record["leaseId"] for record in source.records("rows")] == ["7", "7"]


def test_an_answer_without_the_outer_list_is_a_failure() -> None:
    with bench(lambda _: answered({"leases": {}}), ROWS) as source, pytest.raises(VendorFault, match="lease"):
        source.records("rows")


@pytest.mark.parametrize("rows", ['"text"', "7", '[["n"]]'])
def test_what_is_no_record_is_a_failure(rows: str) -> None:
    with pytest.raises(VendorFault, match=r"records were expected|no object"):
        Walk("a.*.rows", {}).records(b'[{"rows":' + rows.encode() + b"}]")


def test_a_carried_value_names_a_star() -> None:
    with pytest.raises(ValueError, match="number of a star"):
        Walk("a.*.rows", {"id": "2.id"})


def test_numbers_keep_every_digit_on_the_way() -> None:
    found = Walk("a.*.rows", {"id": "1.id"}).records(b'[{"id":1.10,"rows":[{"x":0.1000000000000000055}]}]')
    assert found == b'[{"id":1.10,"x":0.1000000000000000055}]'


def test_a_probe_asks_for_no_smaller_page_than_the_vendor_takes() -> None:
    """Finding out whether a stream can be read must not fail for its page size."""
    asked: list[str] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["per_page"])
        return answered([])

    with bench(vendor, ApiStream("things", "/things", "id", paging=Numbered(500, least=5))) as source:
        (access,) = source.source.check([source.source.discover()[0]])
    assert access.problem is None
    assert asked == ["5"]
