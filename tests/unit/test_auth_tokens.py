"""The rules of tokens: a part of what their maker's credential holds, and always an end."""

import pytest

from libs.common.access.rights import within
from services.auth.model.tokens import TokenRefused, days_of, most_days, networks_of, scopes_of


@pytest.mark.parametrize(
    ("wanted", "held", "allowed"),
    [
        (["*"], ["*"], True),
        (["run.*"], ["*"], True),
        (["run.log"], ["run.*"], True),
        (["run.*"], ["run.log"], False),
        (["*"], ["run.*", "model.*"], False),
        (["experiment:team-a/x"], ["experiment:team-a/*"], True),
        (["experiment:team-a/x*"], ["experiment:team-a/*"], True),
        (["experiment:team-a/*"], ["experiment:team-a/x*"], False),
        (["experiment:team-a/*"], ["experiment:team-a/x"], False),
        (["experiment:team-b"], ["experiment:team-a/*"], False),
        (["run.log"], ["experiment:team-a/*"], False),
        (["run.log", "experiment:team-a/x"], ["experiment:team-a/*"], True),
        (["model:fraud"], ["experiment:team-a/*"], False),
        (["experiment:*"], ["experiment:a*", "experiment:b*"], False),
        (["experiment:a", "experiment:b1"], ["experiment:a", "experiment:b*"], True),
        (["token.own"], ["experiment:a*"], False),
        (["run.log", "experiment:*"], ["run.*"], True),
    ],
)
def test_scopes_are_within_others_only_when_they_allow_no_more(
    wanted: list[str], held: list[str], allowed: bool
) -> None:
    assert within(wanted, held) is allowed
    if allowed:
        assert scopes_of(wanted, held) == tuple(wanted)
    else:
        with pytest.raises(TokenRefused, match="no more"):
            scopes_of(wanted, held)


def test_networks_are_parts_of_those_held() -> None:
    assert networks_of(None, ()) == ()
    assert networks_of([], ["10.0.0.0/8"]) == ("10.0.0.0/8",)
    assert networks_of(["10.1.0.0/16", "10.1.0.0/16"], ["10.0.0.0/8"]) == ("10.1.0.0/16",)
    for wanted in ("11.0.0.0/8", "::/0", "0.0.0.0/0"):
        with pytest.raises(TokenRefused, match="no more"):
            networks_of([wanted], ["10.0.0.0/8"])


def test_the_plan_bounds_a_tokens_life() -> None:
    assert (days_of(None, "free"), days_of(None, "team"), days_of(366, "team")) == (90, 90, 366)
    assert (most_days("free"), most_days("a plan of tomorrow")) == (90, 366)
    with pytest.raises(TokenRefused, match="'free' of your tenant allows 90 days"):
        days_of(91, "free")
