"""The record that every REST workload moves: 22 fields, nested values, about 720 bytes of JSON.

```
{"id": 10000042017, "uuid": "…", "account_id": 7, "property_id": 12, "unit_id": 3, "status": "active",
 "kind": "lease", "title": "…", "first_name": "…", "last_name": "…", "email": "…", "phone": "…",
 "description": "…", "amount": 1234.56, "rate": 0.0421, "quantity": 3, "revision": 0, "is_active": true,
 "created_at": "2025-…Z", "updated_at": "2026-…Z", "address": {…6 texts…}, "tags": ["…", "…"]}
```

A page is one of `TEMPLATES` byte strings in which a marker of seven digits is replaced by the page's number,
so that a page costs one `bytes.replace`, any number of records needs the memory of a few pages, and every
`id`, `uuid` and `email` differs. `revision` is 0, and 1 in a record that the second generation has changed:
its sum in the destination proves which version landed.
"""

import json
import random
from datetime import UTC, datetime, timedelta

FIELDS: dict[str, str] = {
    "id": "BIGINT",
    "uuid": "VARCHAR",
    "account_id": "BIGINT",
    "property_id": "BIGINT",
    "unit_id": "BIGINT",
    "status": "VARCHAR",
    "kind": "VARCHAR",
    "title": "VARCHAR",
    "first_name": "VARCHAR",
    "last_name": "VARCHAR",
    "email": "VARCHAR",
    "phone": "VARCHAR",
    "description": "VARCHAR",
    "amount": "DECIMAL(18,2)",
    "rate": "DOUBLE",
    "quantity": "BIGINT",
    "revision": "BIGINT",
    "is_active": "BOOLEAN",
    "created_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "address": "JSON",
    "tags": "JSON",
}
"""Field → type, in DuckDB's words: what a connector would declare. PostgreSQL's are in `POSTGRES_TYPES`."""

POSTGRES_TYPES = {
    "BIGINT": "bigint",
    "VARCHAR": "text",
    "DECIMAL(18,2)": "numeric(18,2)",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "TIMESTAMPTZ": "timestamptz",
    "JSON": "jsonb",
}

TEMPLATES = 16
"""How many pages of different texts there are; page n is made from template n % TEMPLATES."""

STREAM_PAGES_AT = 9_000_000
"""Page number of the only page of stream 0 of the fifty; `records` has the numbers below it."""

MARKER = b"@PAGENO"
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
_WORDS = [
    "lease",
    "unit",
    "resident",
    "deposit",
    "boiler",
    "inspection",
    "kitchen",
    "parking",
    "storage",
    "garden",
    "balcony",
    "invoice",
    "payment",
    "roof",
    "elevator",
    "renewal",
    "notice",
    "moved",
    "heating",
    "water",
    "meter",
    "gate",
    "key",
    "laundry",
    "pet",
    "waiver",
    "quote",
    "insurance",
    "vendor",
    "repair",
]
_NAMES = [
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Radia",
    "Tony",
    "Leslie",
    "Frances",
    "Ken",
    "Dennis",
    "Margaret",
    "Katherine",
    "Annie",
    "Joan",
]
_CITIES = (
    ("Denver", "CO"),
    ("Austin", "TX"),
    ("Boise", "ID"),
    ("Tampa", "FL"),
    ("Omaha", "NE"),
    ("Reno", "NV"),
)


def changed_every(share: float) -> int:
    """One record in how many the second generation has changed; 0 means none."""
    return round(1 / share) if share > 0 else 0


def changed_count(total: int, page_size: int, share: float) -> int:
    """Records of a stream of `total` that the second generation has changed (also the sum of `revision`)."""
    every = changed_every(share)
    if not every:
        return 0
    full, rest = divmod(total, page_size)
    return full * len(range(0, page_size, every)) + len(range(0, rest, every))


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _record(chance: random.Random, index: int, is_changed: bool) -> bytes:
    words = chance.choices(_WORDS, k=22)
    city, state = chance.choice(_CITIES)
    first, last = chance.choice(_NAMES), chance.choice(_NAMES)
    created = _EPOCH + timedelta(seconds=chance.randrange(31_536_000), milliseconds=chance.randrange(1000))
    updated = created + timedelta(seconds=chance.randrange(10_000_000))
    amount = chance.randrange(1_000, 500_000) / 100
    if is_changed:
        updated, amount = datetime(2026, 7, 2, tzinfo=UTC) + timedelta(seconds=index), amount + 1
    record = {
        "id": "ID",
        "uuid": f"{chance.randrange(1 << 32):08x}-{index:04x}-4000-8000-{index:05x}@PAGENO",
        "account_id": chance.randrange(1, 50),
        "property_id": chance.randrange(1, 5_000),
        "unit_id": chance.randrange(1, 90_000),
        "status": chance.choice(("active", "pending", "past", "void")),
        "kind": chance.choice(("lease", "charge", "work_order", "prospect")),
        "title": " ".join(words[:5]),
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.{index}.@PAGENO@example.com".lower().replace("@pageno", "@PAGENO"),
        "phone": f"+1-555-{chance.randrange(100, 1000)}-{chance.randrange(1000, 10_000)}",
        "description": " ".join(words[5:]),
        "amount": round(amount, 2),
        "rate": round(chance.random() / 10, 6),
        "quantity": chance.randrange(1, 12),
        "revision": int(is_changed),
        "is_active": chance.random() < 0.8,
        "created_at": _instant(created),
        "updated_at": _instant(updated),
        "address": {
            "line1": f"{chance.randrange(1, 9_999)} {words[0].title()} Street",
            "line2": f"Unit {chance.randrange(1, 400)}",
            "city": city,
            "state": state,
            "postal_code": f"{chance.randrange(1_000, 99_999):05d}",
            "country": "US",
        },
        "tags": chance.choices(_WORDS, k=3),
    }
    return (
        json.dumps(record, separators=(",", ":"))
        .encode()
        .replace(b'"ID"', b"1" + MARKER + b"%03d" % index, 1)
    )


class Pages:
    """Pages of one stream of records, each rendered in one pass over a template.

    `page_size` is at most 1,000: three digits of an id are the record's place on its page.
    """

    def __init__(self, page_size: int, share: float) -> None:
        if not 0 < page_size <= 1000:
            raise ValueError(f"page size must lie in 1..1000, not {page_size}")
        self.page_size = page_size
        every = changed_every(share)
        self._records: list[tuple[list[bytes], list[bytes]]] = []
        for template in range(TEMPLATES):
            generations = []
            for generation in (0, 1):
                chance = random.Random(template)
                generations.append(
                    [
                        _record(chance, i, generation == 1 and every > 0 and i % every == 0)
                        for i in range(page_size)
                    ]
                )
            self._records.append((generations[0], generations[1]))
        self._whole = [tuple(b",".join(records) for records in pair) for pair in self._records]

    def render(self, number: int, generation: int, count: int) -> bytes:
        """The records of page `number`, comma-separated, without the brackets around them."""
        template = number % TEMPLATES
        if count == self.page_size:
            raw = self._whole[template][generation]
        else:
            raw = b",".join(self._records[template][generation][:count])
        return raw.replace(MARKER, b"%07d" % number)
