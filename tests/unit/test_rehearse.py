"""The rehearsal reads the Dockerfile as it stands, and refuses what it would not act on."""

from pathlib import Path

import pytest

from tools.rehearse.dockerfile import read

DOCKERFILE = Path(__file__).parents[2] / "deploy/Dockerfile"


def test_our_dockerfile_is_understood() -> None:
    """Stages, steps, variables, user, folder and health check are those of the file."""
    packages, pages, image = read(DOCKERFILE.read_text())
    assert (packages.name, pages.name) == ("packages", "pages")
    assert [word for word, _ in packages.steps] == ["COPY", "RUN"]
    assert ("COPY", "--from=pages /ui /srv/maestro/ui") in image.steps
    assert ("COPY", "--from=packages /app /app") in image.steps
    assert image.user == "10001:10001"
    assert image.folder == "/srv/maestro"
    assert image.environment["MAESTRO_IMAGE"] == "production"
    assert image.health[0] == "python"


def test_the_last_word_counts() -> None:
    """Comments and continued lines are as Docker reads them; a later word replaces an earlier."""
    (stage,) = read("# a comment\nFROM x\nUSER 1\nENV A=1 \\\n    B='two words'\nUSER 2:3\n")
    assert stage.user == "2:3"
    assert stage.environment == {"A": "1", "B": "two words"}


def test_an_unknown_instruction_is_refused() -> None:
    """What the rehearsal would pass over silently could be what the image depends on."""
    with pytest.raises(ValueError, match="SHELL"):
        read("FROM x\nSHELL ['/bin/bash']\n")
