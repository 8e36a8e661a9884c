"""What a service hears of a member when it asks auth: what to decide by, and no more."""

import base64

import pytest

from libs.common.access.asking import asks_auth
from libs.common.access.roles import ROLES
from libs.common.errors import Refusal
from libs.common.http.calling import call
from libs.common.principal import Verifier
from services.auth.state import State
from tests.service.auth.installation import Auth


async def test_rules_are_told_without_where_they_come_from(auth: Auth) -> None:
    """Auth knows that, and tells it to those who may ask for an explanation."""
    state: State = auth.running.state
    token = await auth.principal(auth.first_token, "registry")
    principal = await Verifier("registry", state.keys.key_set).verify(token)
    secret = state.clients["registry"]
    told = await asks_auth("registry", secret, {"auth": auth.app})(principal)
    (rule,) = told.access.rules
    assert (told.access.subject, told.access.status) == (principal.subject, "active")
    assert (rule.effect, frozenset(rule.permissions)) == ("allow", ROLES["owner"])
    assert (rule.rule_id, rule.because) == ("", "")
    assert told.version == principal.epoch


async def test_only_a_service_may_ask(auth: Auth) -> None:
    """With its own secret; the refusal says nothing of the subject."""
    state: State = auth.running.state
    token = await auth.principal(auth.first_token, "registry")
    principal = await Verifier("registry", state.keys.key_set).verify(token)
    with pytest.raises(Refusal, match="cannot be told now"):
        await asks_auth("registry", "wrong", {"auth": auth.app})(principal)
    basic = base64.b64encode(b"nobody:x").decode()
    reply = await call(
        auth.app,
        "GET",
        "/internal/access",
        query=f"tenant_no=1&subject={principal.subject}",
        headers=[("authorization", f"Basic {basic}")],
    )
    assert reply.status == 401
    assert principal.subject.encode() not in reply.body
