"""Filters and orders at random: what MLflow's language allows, what people mistype, and worse."""

from collections.abc import Sequence
from random import Random
from typing import Final


def _of(words: str) -> tuple[str, ...]:
    """What a broken bar keeps apart."""
    return tuple(words.split("¦"))


ENTITIES: Final = {
    "runs": "metrics metric params param parameter parameters tags tag attributes attribute attr"
    " run dataset datasets `metrics` `params` Metrics foo",
    "experiments": "tags tag attribute attributes tags tag attribute metrics `tags`",
    "logged_models": "metrics params tags attributes metrics params metric foo Tags",
    "models": "tags tag attribute attributes tags tag metrics",
    "versions": "tags tag attribute attributes tags tag metrics",
}
ATTRIBUTES: Final = {
    "runs": "run_id run_name user_id status artifact_uri start_time end_time created Created"
    " `Run name` `run name` experiment_id lifecycle_stage Status",
    "experiments": "name experiment_id creation_time last_update_time tags lifecycle_stage Name",
    "logged_models": "name model_id model_type status source_run_id creation_time"
    " creation_timestamp creation_timestamp_ms last_updated_timestamp last_updated_timestamp_ms"
    " experiment_id lifecycle_stage artifact_location status_message `name`",
    "models": "name creation_timestamp timestamp last_updated_timestamp Name `name`",
    "versions": "name version_number run_id source_path creation_timestamp current_stage `name`",
}
KEYS: Final = _of(
    "a¦loss¦a.b¦a.b.c¦`a b`¦\"a-b\"¦'a b'¦`mlflow.user`¦mlflow.parentRunId¦x1¦_x¦1x¦1¦a1.2¦"
    "name¦digest¦context¦status¦start_time¦run_id¦ключ¦é¦名前¦`é à`¦and¦or¦not¦in¦is¦null¦"
    'like¦select¦order¦from¦asc¦desc¦count¦a-b¦a/b¦a:b¦a@b¦a[0]¦*¦a*¦a$b¦¦.¦`a``b`¦"a""b"¦'
    "a`b¦``¦a.`b`¦`a`.b¦a::int¦f(x)¦case¦as¦a#b¦NaN¦mlflow.source.name¦`tag with 'quotes'`¦"
    "experiment_id¦version_number¦`run name`"
)
NUMBERS: Final = _of(
    "1¦-1¦0¦-0¦+1¦1.¦.5¦-.5¦1.5¦-1.5¦1e3¦1E3¦1e-3¦1e+3¦1.e3¦1.5e3¦1e999¦-1e999¦1e¦0x1F¦"
    "1_000¦999999999999999999999999999999¦"
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999¦"
    "nan¦NaN¦inf¦-inf¦infinity¦00¦007¦1.2.3¦1 2¦- 1¦1-1¦٣¦'1'¦1a¦1l"
)
TEXTS: Final = _of(
    "'v'¦\"v\"¦'v w'¦''¦\"\"¦'%v_'¦'it''s'¦'it\\'s'¦\"a\"\"b\"¦\"a\\\"b\"¦'a\"b'¦"
    "\"a'b\"¦'a\\b'¦'\\'¦'é 名前'¦'a;b'¦'a -- b'¦'/* c */'¦'(a)'¦'AND'¦'a¦"
    "a'¦\"a¦`v`¦v¦v.w¦'v'.'w'¦'v''¦'''v'¦'v'w¦'v' 'w'¦\"v\".\"w\"¦'\n'¦"
    "'1'¦'1.5'¦NULL¦?¦:x¦%s¦'x'::text¦E'x'¦'2'¦' 3 '¦'9999999999999999'"
)
LISTS: Final = _of(
    "('a')¦('a','b')¦('a', 'b')¦( 'a' , \"b\" )¦('a',)¦('a', )¦()¦(,)¦"
    "('a' 'b')¦('a',,'b')¦(1)¦('a', 1)¦(1, 2)¦('1')¦('1','2',)¦(('a'))¦(('a','b'))¦"
    "(('a',),)¦('a'¦'a')¦('it''s')¦('it\\'s')¦('a\\n')¦('é')¦(a)¦(`a`)¦"
    "(\"a\")¦('a' -- x\n)¦('a' /* c */)¦('a', # c\n 'b')¦(NULL)¦('a'; 'b')¦"
    "(b'a')¦(r'a')¦(f'a')¦('a' + 'b')¦(['a'])¦({'a'})¦( )¦((((('a')))))¦"
    "('a', (\"b\"))¦(-1)¦(True)¦('a')('b')¦('x',\n'y')"
)
SIGNS: Final = _of("=¦!=¦>¦>=¦<¦<=¦=¦=¦!=¦>¦==¦<>¦=>¦=<¦~¦!¦:=¦=!")
WORDS: Final = _of(
    "LIKE¦ILIKE¦like¦ilike¦Like¦RLIKE¦NOT LIKE¦not  ilike¦REGEXP¦REGEXP BINARY¦BETWEEN¦IS¦"
    "IS NOT¦SIMILAR TO"
)
MEMBERSHIP: Final = _of("IN¦NOT IN¦in¦not in¦Not  In¦NOT\nIN¦IN¦NOT IN¦IS IN¦NOT NOT IN")
PRESENCE: Final = _of(
    "IS NULL¦IS NOT NULL¦is null¦Is Not Null¦IS  NULL¦IS NOT  NULL¦IS\nNULL¦IS NOT\tNULL¦"
    "NOT NULL¦IS NULL NULL¦ISNULL¦IS NOT¦IS"
)
ANDS: Final = _of(
    " AND ¦ AND ¦ and ¦ And ¦\nAND\n¦  AND  ¦ AND AND ¦ ¦ OR ¦ or ¦, ¦ && ¦; ¦AND¦ NOT ¦ XOR "
)
GAPS: Final = _of("¦ ¦ ¦ ¦  ¦\t¦\n¦ /* c */ ")
ENDS: Final = (("",) * 30) + _of(
    " ¦;¦; ¦ ;¦ AND¦ -- c¦ /* c */¦\n¦)¦ foo¦ 1¦ 'x'¦ LIMIT 1¦ ORDER BY x¦ desc¦ AS b¦"
    " AS b IS NULL¦.¦,¦\\¦'¦\"¦`¦(¦ AND ¦ OR¦ foo IS NULL¦; DROP TABLE x"
)
STARTS: Final = (("",) * 30) + _of(" ¦\n¦AND ¦NOT ¦(¦-- c\n¦/* c */ ¦;¦SELECT ¦WHERE ¦1 AND ¦`")
JUNK: Final = _of(
    "AND¦OR¦NOT¦(¦)¦'¦\"¦`¦,¦;¦.¦=¦--¦/*¦*/¦IS¦NULL¦IN¦x¦1¦'v'¦ ¦\n¦[¦]¦::¦->¦*¦+¦-¦%¦$¦"
    "@¦#¦\\¦?¦:¦´¦desc¦as"
)
DIRECTIONS: Final = _of(
    "¦¦ ASC¦ DESC¦ asc¦ desc¦ Desc¦ foo¦ ASC DESC¦ DESC NULLS LAST¦ nulls first¦ ¦  DESC¦"
    "\tASC¦ DESC ¦,¦;¦ DESC;¦ -- c¦ /* c */¦DESC¦ 1¦ 'x'¦\nDESC"
)


def often(random: Random, sensible: int, options: Sequence[str]) -> str:
    """One of the first options nine times of ten, else any."""
    return random.choice(options[:sensible] if random.random() < 0.9 else options)


def identifier(random: Random, entity: str) -> str:
    """An attribute alone, or an entity and a key."""
    attributes = ATTRIBUTES[entity].split(" ")
    if random.random() < 0.3:
        return often(random, 4, attributes)
    entities = ENTITIES[entity].split(" ")
    name = often(random, len(entities) - 2, entities)
    if name in ("attribute", "attributes", "attr", "run"):
        return f"{name}.{often(random, 4, attributes)}"
    if name in ("dataset", "datasets") and random.random() < 0.9:
        return f"{name}.{random.choice(('name', 'digest', 'context', '`name`'))}"
    between = " " if random.random() < 0.03 else ""
    return f"{name}.{between}{often(random, 24, KEYS)}"


def clause(random: Random, entity: str) -> str:
    """A comparison, most often a right one."""
    left = identifier(random, entity)
    gap, other = often(random, 6, GAPS), often(random, 6, GAPS)
    if random.random() < 0.15:
        value = random.choice((*NUMBERS, *TEXTS, *LISTS))
        comparator = random.choice((*SIGNS, *WORDS, *MEMBERSHIP))
        return f"{left}{gap}{comparator}{other}{value}"
    if random.random() < 0.1:
        return f"{left} {often(random, 4, PRESENCE)}"
    if any(word in left for word in ("metric", "time", "number", "created", "Created")):
        return f"{left}{gap}{often(random, 10, SIGNS)}{other}{often(random, 14, NUMBERS)}"
    if random.random() < 0.2:
        return f"{left} {often(random, 2, MEMBERSHIP)}{other}{often(random, 6, LISTS)}"
    if random.random() < 0.5:
        return f"{left} {often(random, 2, WORDS)} {often(random, 14, TEXTS)}"
    return f"{left}{gap}{random.choice(('=', '!=', '='))}{other}{often(random, 14, TEXTS)}"


def mutated(random: Random, text: str) -> str:
    """A text with a piece taken out, doubled, moved, or with junk put in."""
    pieces = text.split(" ") if random.random() < 0.5 else list(text)
    for _ in range(random.randint(1, 3)):
        if not pieces:
            break
        place = random.randrange(len(pieces))
        action = random.randrange(4)
        if action == 0:
            del pieces[place]
        elif action == 1:
            pieces.insert(place, pieces[place])
        elif action == 2:
            other = random.randrange(len(pieces))
            pieces[place], pieces[other] = pieces[other], pieces[place]
        else:
            pieces.insert(place, random.choice(JUNK))
    return (" " if " " in text and len(pieces) < len(text) * 0.8 else "").join(pieces)


def filter_text(random: Random, entity: str) -> str:
    """A filter, or nearly one."""
    if random.random() < 0.03:
        return " ".join(random.choice(JUNK) for _ in range(random.randint(0, 6)))
    count = random.choice((1, 1, 1, 2, 2, 3))
    text = often(random, 30, STARTS)
    for position in range(count):
        text += often(random, 5, ANDS) if position else ""
        text += clause(random, entity)
    text += often(random, 30, ENDS)
    return mutated(random, text) if random.random() < 0.2 else text


def order_text(random: Random, entity: str) -> str:
    """An order, or nearly one."""
    text = f"{identifier(random, entity)}{random.choice(DIRECTIONS)}"
    return mutated(random, text) if random.random() < 0.3 else text
