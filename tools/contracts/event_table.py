"""The README's table of events: topic, facts, producer, readers."""

from tools.contracts.landscape import Landscape, Reading

BEGIN = "<!-- events: written by `make contracts` -->"
END = "<!-- /events -->"


class MarkersMissingError(Exception):
    """The text has no place for the table."""


def table(landscape: Landscape) -> str:
    """The table in Markdown."""
    lines = ["| topic | facts | producer | readers |", "|---|---|---|---|"]
    for topic in landscape.topics:
        facts = ", ".join(topic.facts)
        readers = ", ".join(_reader(reading) for reading in landscape.readings(topic)) or "–"
        producer = "producers outside" if topic.external else topic.producer
        lines.append(f"| `{topic.name}` | {facts} | {producer} | {readers} |")
    return "\n".join(lines)


def _reader(reading: Reading) -> str:
    every = "" if reading.subscription.in_group else " (every process)"
    return f"`{reading.name}`{every}"


def placed(text: str, landscape: Landscape) -> str:
    """The text with the table between its markers; raises MarkersMissingError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkersMissingError(f"no place for the table: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table(landscape)}\n\n{END}{after}"
