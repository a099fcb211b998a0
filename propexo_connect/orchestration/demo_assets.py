"""An asset downstream of the demo connection: how one's own tables are built on streams."""

from collections.abc import Iterable

import dagster as dg
import pyarrow as pa
from duckdb import DuckDBPyRelation

from propexo_connect.connection.parse import Connection
from propexo_connect.orchestration.io_managers import file_pool, io_manager
from propexo_connect.orchestration.naming import slug

DEMO = "happyco_demo"
WORK_ORDERS = "work_orders"

_NEEDED = ["status", "priority", "created_at", "location_v2_property_id", "location_v2_property_name"]


def demo_definitions(connections: Iterable[Connection]) -> dg.Definitions:
    """The demo's own table, where the demo connection is loaded; nothing elsewhere."""
    for connection in connections:
        if connection.name == DEMO and any(plan.stream.name == WORK_ORDERS for plan in connection.plans):
            return _definitions(connection)
    return dg.Definitions()


def _definitions(connection: Connection) -> dg.Definitions:
    work_orders_key = dg.AssetKey([slug(connection.name), WORK_ORDERS])
    io_manager_key, _ = io_manager(connection)

    @dg.asset(
        key=["demo", "open_work_orders_by_property"],
        group_name="demo",
        ins={"work_orders": dg.AssetIn(work_orders_key, metadata={"columns": _NEEDED})},
        io_manager_key=io_manager_key,
        pool=file_pool(connection),
        kinds={connection.destination_kind.name, "sql"},
        automation_condition=dg.AutomationCondition.eager(),
        description="Open and urgent work orders of each property, made anew after each sync.",
    )
    def open_work_orders_by_property(work_orders: DuckDBPyRelation) -> pa.Table:
        return (
            work_orders.filter("status = 'OPEN'")
            .aggregate(
                "location_v2_property_id as property_id, "
                "any_value(location_v2_property_name) as property_name, "
                "count(*) as open_work_orders, "
                "count(*) filter (priority = 'URGENT') as urgent, "
                "min(created_at) as oldest_created_at"
            )
            .order("open_work_orders desc, property_id")
            .to_arrow_table()
        )

    return dg.Definitions(
        assets=[open_work_orders_by_property],
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "demo_automation",
                target=dg.AssetSelection.assets(open_work_orders_by_property),
                default_status=dg.DefaultSensorStatus.RUNNING,
            )
        ],
    )
