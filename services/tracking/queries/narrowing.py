"""Searches of whoever may see a few of many experiments: led by the index of names.

The order of a search comes soon upon what is seen often, and upon what is seen seldom only after it
has looked at nearly everything. Which of the two it is, is counted once and believed for a minute;
it decides how rows are found and never which: a search has the predicate besides.
"""

from typing import Final

from libs.common.access.selection import Selection
from libs.common.database import Connection
from services.tracking.known import Known
from services.tracking.queries.building import Statement

# The inner LIMIT keeps the planner at a walk through each range in the index of names.
_HELD: Final = """
SELECT m.experiment_id FROM unnest(?::text[], ?::text[]) AS b (low, high)
CROSS JOIN LATERAL (
    SELECT x.experiment_id FROM experiments x
    WHERE x.tenant_no = $1 AND x.workspace_id = $2 AND x.name >= b.low AND x.name < b.high
    LIMIT 5000) m
UNION ALL
SELECT x.experiment_id FROM experiments x
WHERE x.tenant_no = $1 AND x.workspace_id = $2 AND x.name = ANY(?::text[])
UNION ALL
SELECT x.experiment_id FROM experiments x
WHERE x.tenant_no = $1 AND x.workspace_id = $2 AND x.owner = ?::text"""
_COUNTED: Final = 3_000
# By measurement (tests/load/restricted): below it, the index is faster than the order.
_FEW: Final = 500
_FEW_A_ROW: Final = 2


async def put_narrowing(
    statement: Statement,
    connection: Connection,
    known: Known,
    selection: Selection,
    max_results: int,
) -> None:
    """AND that experiments `e` of tenant $1 and workspace $2 are among few, where they are."""
    held = _held(selection)
    if held is not None:
        tenant_no, workspace_id = statement.values[:2]
        assert isinstance(tenant_no, int)
        assert isinstance(workspace_id, int)
        place = tenant_no, workspace_id, selection
        count = known.count(*place)
        if count is None:
            count = await _count(connection, tenant_no, workspace_id, held)
            known.counted(*place, count)
        # Past what is counted nothing is few, however large the page.
        if count <= min(_COUNTED, max(_FEW, _FEW_A_ROW * max_results)):
            statement.put(" AND e.experiment_id = ANY(ARRAY(").put(_HELD, *held).put("))")
            # A fence: the planner would walk through the order for the sake of its LIMIT.
            statement.put(" OFFSET 0")


def _held(selection: Selection) -> list[object] | None:
    """The values of `_HELD` for all that is selected and perhaps more; None where it is no less."""
    in_scope = not selection.within.everything
    names = selection.within if in_scope else selection.allowed
    ranges = names.ranges
    if names.everything or not all(high for _, high in ranges):
        return None
    owner = None if in_scope else selection.owner or None
    lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
    return [lows, highs, sorted(names.exact), owner]


async def _count(
    connection: Connection, tenant_no: int, workspace_id: int, held: list[object]
) -> int:
    statement = Statement(tenant_no, workspace_id).put("SELECT count(*) FROM (").put(_HELD, *held)
    statement.put(" LIMIT ?) q", _COUNTED + 1)
    count: int = await connection.fetchval(statement.text, *statement.values)
    return count
