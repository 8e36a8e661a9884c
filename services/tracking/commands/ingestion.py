"""Ingestion: what producers outside published about runs, a batch of messages in one transaction.

Messages are opened and judged first, tenant by tenant, and written together. Where any is found
unfit after its inbox row was written, all is rolled back and done again without it, so that it can
be put back later. Ids of events that were applied already change nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from libs.common.contracts.ingest import SIGNATURE_HEADER
from libs.common.errors import STATUS, Refusal
from libs.common.events.messages import Message, Unfit
from libs.common.failpoints import reach
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.cache import changed
from services.tracking.commands.experiments import ensure_default
from services.tracking.commands.ingest_sections import Sections, store_section
from services.tracking.metrics import INGESTED_POINTS
from services.tracking.model.experiments import DEFAULT_ID
from services.tracking.model.ingest_messages import (
    ARRIVAL_HEADER,
    Opened,
    Rejected,
    arrival_of,
    believed,
    opened,
)
from services.tracking.model.passes import Pass, PassSeal
from services.tracking.queries.access import insist_on_model
from services.tracking.state import state_of
from services.tracking.store import ingestion as store

_MODEL_READ: Final = "logged-model.read"
_MOST_KEYS: Final = 200_000
# After so many messages others have their turn: to open one of 1,000 points takes a quarter of a
# millisecond.
_TURN: Final = 8
_AWAY: Final = STATUS["TEMPORARILY_UNAVAILABLE"]
_log = logger(__name__)
Given = dict[int, Opened]
Principals = Mapping[Pass, Principal]


async def ingest(running: Running, messages: Sequence[Message]) -> list[Unfit | None]:
    """Apply messages in their order; for each None, or why it cannot be applied.

    Raises where the database or auth is away; nothing is applied then.
    """
    unfit: dict[int, Unfit] = {}
    given = await _opened(running, messages, unfit)
    principals = await _principals(running, given.values())
    await _check_models(running, given, principals, unfit)
    with running.tracing.span("tracking.ingest batch"):
        await _apply(running, given, principals, unfit)
    _tell_shares(running, messages, given)
    seal = state_of(running).passes
    return [
        _stamped(seal, message, unfit[place]) if place in unfit else None
        for place, message in enumerate(messages)
    ]


def _tell_shares(running: Running, messages: Sequence[Message], given: Given) -> None:
    """Log whose messages they are, where the topic is read late."""
    shares = state_of(running).shares
    for place, one in given.items():
        shares.add(one.granted.tenant, len(messages[place].value))
    behind = shares.told(min(message.arrived for message in messages))
    if behind is not None:
        _log.warning("ingest_behind", seconds=behind.seconds, percent_of_tenants=behind.percent)


def _stamped(seal: PassSeal, message: Message, unfit: Unfit) -> Unfit:
    """Why a message is unfit; when a believed one came is noted, for when it is put back."""
    try:
        believed(seal, message)
    except Rejected:
        return unfit
    stamp = seal.arrival(arrival_of(seal, message), message.headers[SIGNATURE_HEADER])
    return replace(unfit, headers=((ARRIVAL_HEADER, stamp),))


async def _opened(running: Running, messages: Sequence[Message], unfit: dict[int, Unfit]) -> Given:
    """The messages that can be believed and read, by their places; the others are `unfit`."""
    seal, given = state_of(running).passes, {}
    for place, message in enumerate(messages):
        if place % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        try:
            given[place] = opened(believed(seal, message), message)
        except Rejected as rejected:
            unfit[place] = rejected.unfit
    return given


async def _principals(running: Running, given: Iterable[Opened]) -> Principals:
    """Whom the messages speak for, with the rights that they have now."""
    found: dict[Pass, Principal] = {}
    for one in given:
        if one.granted not in found:
            principal = one.granted.principal(running.name)
            rights = await running.authority.rights(principal)
            found[one.granted] = replace(principal, rights=rights)
    return found


async def _check_models(
    running: Running, given: Given, principals: Principals, unfit: dict[int, Unfit]
) -> None:
    """Take out messages about logged models that the pass's owner may not see."""
    for place, one in list(given.items()):
        for number, columns in enumerate(one.metrics):
            if not columns.context[0]:
                continue
            try:
                await insist_on_model(
                    running, principals[one.granted], _MODEL_READ, columns.context[0]
                )
            except Refusal as refusal:
                if refusal.status == _AWAY:
                    raise
                unfit[place] = Unfit(f"metrics[{number}].model_id", refusal.message)
                given.pop(place, None)


async def _apply(
    running: Running, given: Given, principals: Principals, unfit: dict[int, Unfit]
) -> None:
    """Commit all that can be; what cannot is `unfit`."""
    for one in given.values():
        if one.told.create is not None and int(one.told.create.experiment_id) == DEFAULT_ID:
            await ensure_default(running, principals[one.granted])
    await _number_keys(running, given.values())
    while given:
        sections: Sections = {}
        for place, one in given.items():
            sections.setdefault(one.granted.tenant_no, {})[place] = one
        found = await _in_one_transaction(running, sections, principals)
        if not found:
            break
        unfit |= found
        given = {place: one for place, one in given.items() if place not in found}


class _Unfinished(Exception):
    """Some messages are unfit: what was written with them is rolled back."""


async def _in_one_transaction(
    running: Running, sections: Sections, principals: Principals
) -> dict[int, Unfit]:
    """Write the messages of all tenants and commit; or nothing, and which of them are unfit."""
    found: dict[int, Unfit] = {}
    points, tells = 0, False
    runs = {
        (tenant_no, one.run_id) for tenant_no, those in sections.items() for one in those.values()
    }
    try:
        async with running.database.transaction() as connection:
            for tenant_no in sorted(sections):
                done = await store_section(
                    running, connection, tenant_no, sections[tenant_no], principals
                )
                found |= done.unfit
                points, tells = points + done.points, tells or done.tells
            if found:
                raise _Unfinished
            reach("ingest.before-commit")
    except _Unfinished:
        return found
    finally:
        # Also where it is not known whether COMMIT came to pass.
        await changed(running, runs)
    reach("ingest.after-commit")
    INGESTED_POINTS.inc(points)
    if tells:
        running.wake_relay()
    return {}


async def _number_keys(running: Running, given: Iterable[Opened]) -> None:
    """Give every metric key a number, in transactions of their own: they stay, whatever follows."""
    known = state_of(running).key_numbers
    if len(known) > _MOST_KEYS:
        known.clear()
    new: dict[int, set[str]] = {}
    for one in given:
        tenant_no = one.granted.tenant_no
        for columns in one.metrics:
            if (tenant_no, columns.key) not in known:
                new.setdefault(tenant_no, set()).add(columns.key)
    for tenant_no, keys in new.items():
        async with running.database.transaction(tenant_no) as connection:
            numbers = await store.key_numbers(connection, tenant_no, sorted(keys))
        known.update(((tenant_no, key), number) for key, number in numbers.items())
