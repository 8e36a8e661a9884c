"""Bad values, drawn from a route's schema, and the JSON that no encoder would write."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel

SEED: Final = 20_261_127


@dataclass(frozen=True)
class Token:
    """A JSON text that stands as it is."""

    text: str


TEXTS: Final = (
    *("", " ", "0", "-1", "a", "NaN", "null", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeffa"),
    *("\u202e", "\uffff", "\U0010ffff", "e\u0301" * 50, "x" * 300, "x" * 70_000, "ü" * 9_000),
    *("'; DROP TABLE runs; --", "%s%n%d", "${jndi:x}", "{{7*7}}", "<script>", "a\r\nX-A: b"),
    *("../../etc/passwd", "\\", "%00", "%", "`", "'", '"', "name = 'a", "metrics.x > 1e999"),
    *("1e400", "9" * 400, "-9223372036854775809", "0x10", "1_000", "१२", "m-" + "0" * 32, "0" * 32),
)
NUMBERS: Final = (
    *("0", "-0", "-0.0", "1", "-1", "1.5", "1e400", "-1e400", "1e-400", "1E+2", "0.1e1"),
    *("9" * 400, "-" + "9" * 400, "9" * 5_000, f"0.{'1' * 5_000}", "NaN", "Infinity", "-Infinity"),
    *map(
        str, (2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1)
    ),
    *("18446744073709551616", "1.7976931348623157e308", "9223372036854775807.0"),
)
_SCALARS: Final = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS).map(Token),
    st.sampled_from([None, True, False]),
    st.text(max_size=20),
)
JUNK: Final = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(TEXTS[:9]), inner, max_size=3)
    ),
    max_leaves=6,
)


def like(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, most of them at its edges, and one in four of quite another."""
    return st.integers(0, 3).flatmap(lambda chance: _of(kind) if chance else JUNK)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of(inner[0])
    if origin in (Union, types.UnionType):
        return st.one_of(*map(_of, inner))
    if origin is list:
        return st.lists(like(inner[0]), max_size=4)
    if origin is dict:
        return st.dictionaries(st.sampled_from(TEXTS[:9]), like(inner[1]), max_size=3)
    return _plain(kind)


def _plain(kind: Any) -> st.SearchStrategy[Any]:
    if fields := fields_of(kind):
        return st.fixed_dictionaries({}, optional={name: like(t) for name, t in fields.items()})
    if kind is str:
        return st.one_of(st.sampled_from(TEXTS), st.text(max_size=40))
    if kind in (int, float):
        return st.sampled_from(NUMBERS).map(Token)
    return st.booleans() if kind is bool else JUNK


def fields_of(kind: Any) -> Mapping[str, Any]:
    """The fields of a message with their types; none where it is no message."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(kind)}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}


def spoiled(sound: Mapping[str, Any], kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A sound body with some fields spoiled, some left out, and now and then one too many."""
    known = fields_of(kind)
    bad = st.fixed_dictionaries({}, optional={name: like(of) for name, of in known.items()})
    few = bad.flatmap(
        lambda found: (
            st.sets(st.sampled_from(sorted(found)), max_size=3).map(
                lambda names: {name: found[name] for name in names}
            )
            if found
            else st.just({})
        )
    )
    without = st.sets(st.sampled_from(sorted(sound)), max_size=1) if sound else st.just(set())
    odd = st.dictionaries(
        st.sampled_from(["", "__class__", "runId", "\0", "x" * 300]), JUNK, max_size=1
    )
    return st.tuples(few, without, odd).map(
        lambda drawn: {k: v for k, v in sound.items() if k not in drawn[1]} | drawn[0] | drawn[2]
    )


def written(value: Any) -> str:
    """The JSON text of a value, its tokens as they stand."""
    if isinstance(value, Token):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def drawn(strategy: st.SearchStrategy[Any], number: int, name: str) -> list[Any]:
    """So many values of a strategy, the same in every run."""
    found: list[Any] = []

    @seed(f"{SEED} {name}")
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found
