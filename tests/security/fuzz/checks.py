"""What may be answered to bad input: nothing of our insides, and refusals in the protocol's form."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from libs.common.http.calling import Reply

# Words of a traceback, of a statement or of the database's complaints.
_INSIDES: Final = re.compile(
    rb"Traceback|File \"|\.py\", line|asyncpg|psycopg|msgspec|pydantic_core|aiohttp|SELECT .* FROM|"
    rb"INSERT INTO|syntax error at|violates|relation \"|column \"|row-level|object at 0x"
)


def faults(
    answer: Reply | None, *, own: bool, broken: bool = False, method: str = ""
) -> Iterator[str]:
    """What is wrong with an answer; a `broken` request may get a plain 400 or none at all."""
    if answer is None:
        if not broken:
            yield "the connection ended without an answer"
        return
    # 501 says that an operation is replaced, or that the store cannot do it.
    if answer.status >= 500 and answer.status != 501:
        yield f"answered {answer.status}: {answer.body[:300]!r}"
    if found := _INSIDES.search(answer.body):
        yield f"shows its insides: {found.group()!r} in {answer.body[:600]!r}"
    if answer.status >= 400 and method != "HEAD":
        plain = broken and answer.headers.get("content-type", "").startswith("text/plain")
        if not plain and not _in_form(answer, own=own):
            yield f"a refusal in no form: {answer.status} {answer.headers} {answer.body[:300]!r}"


def _in_form(answer: Reply, *, own: bool) -> bool:
    try:
        body: Any = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return False
    kind = answer.headers.get("content-type")
    if own:
        return kind == "application/problem+json" and body.get("status") == answer.status
    return kind == "application/json" and bool(body.get("error_code")) and "message" in body
