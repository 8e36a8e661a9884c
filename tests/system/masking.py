"""What two servers' output may differ in: ids, times, addresses and a database's own words."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

# The scripts' own times lie below this one and are compared.
_TIME: Final = r"\b1[7-9]\d{11}\b(?<!170000000000\d)(?<!17000000000\d\d)"
# Each line is a rule: what it masks is numbered by its first appearance, so that the same id must
# stand in the same places on both sides.
RULES: Final[tuple[tuple[str, str], ...]] = (
    ("model", r"\bm-(?!0{32})[0-9a-f]{32}\b"),
    ("id", r"\b(?!0{32})[0-9a-f]{32}\b"),
    ("experiment", r"(?<=mlflow-artifacts:/)\d+\b"),
    ("experiment", r"(?<=/experiments/)\d+\b"),
    ("experiment", r"(?<=' with id )\d+\b"),
    ("experiment", r"(?<=-experiment-id )\d+\b"),
    ("experiment", r"(?<=Experiment ID      : )\d+\b"),
    ("experiment", r"(?m)^\d+ +(?=\S+ +mlflow-artifacts:)"),
    ("experiment", r"(?<=create_experiment: \")\d+\b"),
    ("experiment", r"(?<=\"experiment_id\": \")\d+\b"),
    ("experiment", r"(?<=experiment_id=')\d+\b"),
    ("experiment", r"(?i)(?<=experiment with id=)\d+\b"),
    ("experiment", r"(?i)(?<=experiment with id )\d+\b"),
    ("experiment", r"(?<=The experiment )\d+\b"),
)
# These differ from run to run, or belong to one server alone, and are replaced by a word.
PLAIN_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("<name>", r"(?<=View run )[a-z]+-[a-z]+-\d+(?= at: )"),
    ("<folder>", r"/\S*/tmp\w{8}\b"),
    ("<time>", _TIME),
    ("<time>", r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"),
    # The width of a table's columns follows the ids in it.
    ("", r"(?m) +$"),
    ("----", r"-{4,}"),
    # A real server quotes its database here; ours never does.
    ("", r" Error: \([^\n]*\n(?:[^\n]+\n|\n(?=\[))*\(Background on this error[^\n]*"),
)


# The client ends the runs of a grid search in threads, and each writes its two lines.
_LINKS: Final = r"(?m)(?:^(?:🏃 View run|🧪 View experiment) .*\n)+"


@dataclass
class Mask:
    """Masks one server's output; `address` is where that server is."""

    address: str
    _seen: dict[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """The text with everything masked that a rule names."""
        text = text.replace(self.address, "<address>")
        for kind, pattern in RULES:
            text = re.sub(pattern, self._numbered(kind), text)
        for word, pattern in PLAIN_RULES:
            text = re.sub(pattern, word, text)
        return re.sub(_LINKS, _sorted_lines, text)

    def _numbered(self, kind: str) -> Callable[[re.Match[str]], str]:
        def replaced(found: re.Match[str]) -> str:
            key = kind, found.group()
            number = sum(1 for other, _ in self._seen if other == kind)
            return self._seen.setdefault(key, f"<{kind} {number + 1}>")

        return replaced


def _sorted_lines(found: re.Match[str]) -> str:
    return "".join(sorted(found.group().splitlines(keepends=True)))
