"""Changes of access as they happen: heard by every process that decides."""

from typing import Final

from libs.common.contracts.auth import ACCESS, AccessChanged
from libs.common.events.envelope import Event
from libs.common.service import Running, Subscription


async def _changed(running: Running, event: Event) -> None:
    changed: AccessChanged = event.fact
    running.authority.heard(event.tenant_no, changed.access.subject, changed.version)


async def _missed(running: Running) -> None:
    """The broadcast was (re)connected: what was said before that may have been missed."""
    running.authority.forget_everything()


# Listed by every service that decides.
ACCESS_CHANGES: Final = Subscription(
    name="access",
    topics=(ACCESS,),
    handlers={AccessChanged: _changed},
    kind="broadcast",
    connected=_missed,
)
