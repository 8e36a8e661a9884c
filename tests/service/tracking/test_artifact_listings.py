"""Listings of artifacts: one level by name, at a cost that does not grow with what lies deeper."""

import msgspec

from tests.service.tracking.owners import new_run, of_run, stored
from tests.service.tracking.test_contents import put
from tests.serving import Client


async def test_a_folder_is_listed_without_reading_what_lies_deeper(client: Client) -> None:
    run_id = await new_run(client)
    number = client.tenant.number
    await put(client, of_run(run_id, "/z"), b"1")
    root = f"0/{run_id}/artifacts"
    async with client.running.database.transaction(number) as connection:
        await connection.execute(
            "INSERT INTO artifacts (tenant_no, workspace_id, path, content_no, size)"
            " SELECT $1, 1, $2 || '/d' || n % 3 || '/f' || n, c.content_no, 1"
            " FROM contents c, generate_series(1, 30000) AS n WHERE c.tenant_no = $1",
            *(number, root),
        )
        explained = await connection.fetchval(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
            f" SELECT * FROM artifacts_in({number}, 1, '{root}')"
        )
    plan = msgspec.json.decode(explained)[0]["Plan"]
    assert plan["Actual Rows"] == 4
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200
    listed = await client.get("artifacts/list", f"run_id={run_id}")
    assert [file["path"] for file in listed["files"]] == ["d0", "d1", "d2", "z"]
    listed = await client.get("artifacts/list", f"run_id={run_id}&path=d1")
    assert len(listed["files"]) == 10_000


async def test_names_beside_one_another_are_not_mixed_up_in_listings(client: Client) -> None:
    run_id = await new_run(client)
    for path in ("/a/x", "/a-b", "/a.c/y", "/a0", "/ab/c/d", "/ab/c/e", "/\u00e4/x"):
        await put(client, of_run(run_id, path), b"1")
    listed = await client.get("artifacts/list", f"run_id={run_id}")
    assert [(file["path"], file["is_dir"]) for file in listed["files"]] == [
        *(("a", True), ("a-b", False), ("a.c", True), ("a0", False), ("ab", True)),
        ("\u00e4", True),
    ]
    await client.ask("DELETE", of_run(run_id, "/a"))
    assert [path.rpartition("artifacts/")[2] for path in await stored(client)] == [
        *("a-b", "a.c/y", "a0", "ab/c/d", "ab/c/e", "\u00e4/x")
    ]
