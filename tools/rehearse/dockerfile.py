"""A Dockerfile as its steps: what the rehearsal understands of it, and a refusal of the rest."""

import json
import re
import shlex
from dataclasses import dataclass, field

KNOWN = frozenset({"COPY", "RUN", "WORKDIR", "ENV", "USER"})
SILENT = frozenset({"ARG", "EXPOSE", "VOLUME"})


@dataclass
class Stage:
    """One FROM and what follows it."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    health: list[str] = field(default_factory=list)


def read(text: str) -> list[Stage]:
    """The stages in order; raises ValueError at an instruction that is not understood."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(str.strip, text.splitlines()):
        word, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split())
        if word == "FROM":
            stages.append(Stage(name=rest.partition(" AS ")[2] or str(len(stages))))
        elif word in KNOWN:
            stages[-1].steps.append((word, rest))
            _note(stages[-1], word, rest)
        elif word == "HEALTHCHECK":
            stages[-1].health = json.loads(rest.partition("CMD ")[2])
        elif word not in SILENT | {"CMD"}:
            raise ValueError(f"the rehearsal does not understand {word}")
    return stages


def _note(stage: Stage, word: str, rest: str) -> None:
    if word == "ENV":
        stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    elif word == "USER":
        stage.user = rest
    elif word == "WORKDIR":
        stage.folder = rest
