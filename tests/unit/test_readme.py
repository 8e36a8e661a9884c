"""README.md promises only what is there: its targets, links, five lines and table."""

import ast
import re

import pytest

from services import all_services
from tests.readme import README, blocks, commands
from tools.contracts import event_table
from tools.contracts.landscape import declared

ROOT = README.parent
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What only a Docker engine can run; tests/unit/test_compose.py holds compose.yaml to account.
WITH_DOCKER = {
    "docker compose up --build --wait",
    "docker compose exec auth cat /data/auth/first-token",
}


@pytest.mark.parametrize("command", commands())
def test_a_command_exists(command: str) -> None:
    """Each line is a make target, a module of ours, or a Docker command told apart above."""
    plain = command.removeprefix('eval "$(').removesuffix(')"')
    if match := re.fullmatch(r"make ([\w-]+)", plain):
        assert match.group(1) in TARGETS
    elif match := re.fullmatch(r"python3 -m ([\w.]+)", plain):
        assert (ROOT / (match.group(1).replace(".", "/") + ".py")).is_file()
    else:
        assert command in WITH_DOCKER


def test_commands_in_sentences_exist() -> None:
    """What the text tells to run, as `make sign-in`, is a target too."""
    named = set(re.findall(r"`make ([\w-]+)", README.read_text()))
    assert "sign-in" in named
    assert named <= TARGETS


def test_docker_commands_name_what_compose_has() -> None:
    """The service and the path of the last command are those of compose.yaml."""
    text = (ROOT / "compose.yaml").read_text()
    assert "\n  auth:\n" in text
    assert "AUTH_FIRST_TOKEN_FILE: /data/auth/first-token\n" in text


def test_the_quick_start_is_five_lines_of_python() -> None:
    """It parses and is as short as promised."""
    (block,) = blocks("python")
    assert len(ast.parse(block).body) == 5
    assert len([line for line in block.splitlines() if line]) == 5


def test_links_lead_somewhere() -> None:
    """Every relative link names a file or folder of the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text()):
        assert (ROOT / target).exists(), target


def test_the_event_table_is_what_services_declare() -> None:
    """The table between the markers is the generated one."""
    text = README.read_text()
    assert event_table.placed(text, declared(all_services())) == text


def test_it_stays_a_page() -> None:
    """A reader sees all of it before losing interest."""
    assert len(README.read_text().splitlines()) <= 110
