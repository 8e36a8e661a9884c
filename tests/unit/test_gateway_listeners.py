"""Streams at the gateway: what they were admitted with is looked at again, and how they end."""

import pytest

from libs.common.errors import Refusal, unauthenticated, unavailable
from libs.common.http.types import Message
from services.gateway.credentials import Presented
from services.gateway.exchange import Passport
from services.gateway.listeners import LastWord, Listeners
from services.gateway.open_requests import OpenRequest
from tests.unit.gateway_doubles import passport

PRESENTED = Presented("Bearer", "secret")


class Admission:
    """Admits with the newest passport, or refuses."""

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.newest = passport(2.0)

    async def __call__(self, presented: Presented) -> Passport:
        """What becomes of a credential."""
        assert presented is PRESENTED
        if self.refusal is not None:
            raise self.refusal
        return self.newest


@pytest.mark.parametrize("refusal", [unauthenticated("expired"), unavailable("auth is away")])
async def test_a_stream_is_cut_when_its_credential_would_be_refused(refusal: Refusal) -> None:
    admission = Admission()
    listeners = Listeners(admission)
    request = OpenRequest(passport(1.0))
    ended: list[str] = []
    request.attach(end=lambda: ended.append("cut"), stage=lambda: "streams")
    with listeners.entered(request, PRESENTED):
        await listeners.look()
        # What is revoked later is found by what it is admitted with now.
        assert request.passport is admission.newest
        assert (request.refusal, ended) == (None, [])
        admission.refusal = refusal
        await listeners.look()
        assert (request.refusal, ended) == (refusal, ["cut"])
    over = OpenRequest(passport(1.0))
    with listeners.entered(over, PRESENTED):
        pass
    await listeners.look()
    listeners.end_all()
    assert over.refusal is None, "one that is over is left alone"


async def test_all_are_sent_away_when_the_process_ends() -> None:
    listeners = Listeners(Admission())
    requests = [OpenRequest(passport(1.0)) for _ in range(3)]
    with listeners.entered(requests[0], PRESENTED), listeners.entered(requests[1], PRESENTED):
        listeners.end_all()
    assert [request.refusal is not None for request in requests] == [True, True, False]


async def test_the_last_word_is_said_once() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    out = LastWord(send)
    await out({"type": "http.response.start", "status": 200, "headers": []})
    await out({"type": "http.response.body", "body": b"a", "more_body": True})
    await out.goodbye()
    assert sent[-1] == {"type": "http.response.body", "body": b"retry: 1000\n\n"}
    await out.goodbye()
    assert len(sent) == 3
