"""PyAirbyte, offline: a declarative manifest read in process, into its DuckDB or PostgreSQL cache.

Offset paging with the API's largest page, inline schema (no discovery by samples), a whole read
(`force_full_refresh`), merge by the primary key (`write_strategy="merge"`). Telemetry and connector registry
are off (`AIRBYTE_OFFLINE_MODE`). There is no setting for parallel pages of one stream.
"""

from typing import Any
from urllib.parse import urlsplit

from benchmarks.peers.program import read_job, report

TEXT = {"type": ["null", "string"]}
KINDS: dict[str, dict[str, Any]] = {
    "BIGINT": {"type": ["null", "integer"]},
    "VARCHAR": TEXT,
    "DECIMAL(18,2)": {"type": ["null", "number"]},
    "DOUBLE": {"type": ["null", "number"]},
    "BOOLEAN": {"type": ["null", "boolean"]},
    "TIMESTAMPTZ": {
        "type": ["null", "string"],
        "format": "date-time",
        "airbyte_type": "timestamp_with_timezone",
    },
}


def _stream(job: dict[str, Any], name: str) -> dict[str, Any]:
    from benchmarks.records import FIELDS

    fields = {field: KINDS[kind] for field, kind in FIELDS.items() if kind != "JSON"}
    fields["address"] = {"type": ["null", "object"], "additionalProperties": True}
    fields["tags"] = {"type": ["null", "array"], "items": {"type": "string"}}

    def parameter(field: str) -> dict[str, str]:
        return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": field}

    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": job["key"],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": fields}},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": job["source"]["url"],
                "path": job["source"]["paths"][name],
                "http_method": "GET",
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": parameter("offset"),
                "page_size_option": parameter("limit"),
                "pagination_strategy": {"type": "OffsetIncrement", "page_size": job["source"]["page_size"]},
            },
        },
    }


def main() -> None:
    import airbyte

    job = read_job()
    manifest = {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": job["streams"][:1]},
        "streams": [_stream(job, name) for name in job["streams"]],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }
    source = airbyte.get_source("source-bench", config={}, source_manifest=manifest, streams="*")
    destination = job["destination"]
    cache: Any
    if destination["kind"] == "duckdb":
        cache = airbyte.DuckDBCache(db_path=destination["path"], schema_name=destination["schema"])
    else:
        from airbyte.caches import PostgresCache

        parts = urlsplit(destination["dsn"])
        cache = PostgresCache(
            host=parts.hostname,
            port=parts.port,
            username=parts.username,
            password="",
            database=parts.path[1:],
            schema_name=destination["schema"],
        )
    result = source.read(cache=cache, force_full_refresh=True, write_strategy="merge")
    report(result.processed_records)


if __name__ == "__main__":
    main()
