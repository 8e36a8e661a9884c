"""compose.yaml gives every process what it reads, its own secrets only, and no default of any."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.service import Service
from libs.common.settings import Common, Shared, load
from services import all_services
from tools.compose_env import credentials

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
SERVICES = {service.name: service for service in all_services()}
PROCESSES = sorted(SERVICES)


def compose() -> dict[str, Any]:
    """The file as Docker reads it, before variables are put in."""
    text = (ROOT / "compose.yaml").read_text()
    found: dict[str, Any] = msgspec.yaml.decode(text)
    return found


def filled(text: str, given: dict[str, str]) -> str:
    """A value with variables put in, refusing those that nobody gave."""

    def put(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        if name in given:
            return given[name]
        assert kind == "-", f"{name} is needed and not written by tools.compose_env.py"
        return default or ""

    return PLACE.sub(put, text)


def environment(process: str, given: dict[str, str]) -> dict[str, str]:
    """What a process of compose.yaml finds in its environment."""
    declared = compose()["services"][process]["environment"]
    return {name: filled(str(value), given) for name, value in declared.items()}


def image_environment() -> dict[str, str]:
    """What the image sets for every process."""
    text = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ENV (.+)$", text, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in line.split())


def needed_beside_settings(service: Service) -> set[str]:
    """Variables that entry points and the runner read: databases, peers, ports."""
    name = service.name.upper()
    needed = {f"{name}_HOST", f"{name}_PORT", "AUTH_URL"} - {f"{service.name}_url".upper()}
    needed |= {f"{peer.upper()}_URL" for peer in service.peers}
    if service.migrations is not None:
        needed |= {f"{name}_DATABASE_URL", f"{name}_RELAY_DATABASE_URL"}
    return needed


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_finds_its_settings(name: str) -> None:
    """Everything a service declares as needed can be read from what compose gives it."""
    service = SERVICES[name]
    env = image_environment() | environment(name, credentials())
    load(Shared, "MAESTRO", env)
    load(Common, name, env)
    if service.settings is not None:
        settings = load(service.settings, name, env)
        for check in ("encryption_key", "clients", "metrics_networks"):
            getattr(settings, check, dict)()
    assert {
        variable for variable in needed_beside_settings(service) if not env.get(variable)
    } == set()


def test_migrate_finds_everyones_roles() -> None:
    """The one step with an administrator's rights gets all roles and users it makes."""
    env = environment("migrate", credentials())
    load(Shared, "MAESTRO", env)
    for service in SERVICES.values():
        load(Common, service.name, env)
    for name in ("POSTGRES_URL", "KAFKA_ADMIN_USERNAME", "KAFKA_ADMIN_PASSWORD"):
        assert env[f"MAESTRO_{name}"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_holds_no_foreign_secret(name: str) -> None:
    """Whoever takes over one process has the credentials of that one; auth knows its clients'."""
    given = credentials()
    text = str(environment(name, given))
    held = {variable for variable, value in given.items() if value in text}
    own = {variable for variable in held if variable.startswith(f"{name.upper()}_")}
    shared = {"auth": {f"{client}_CLIENT_SECRET" for client in ("GATEWAY", "TRACKING", "REGISTRY")}}
    assert held - own - shared.get(name, set()) - {"REDIS_PASSWORD"} == set()
    assert "POSTGRES_ADMIN_PASSWORD" not in held


def test_no_credential_stands_in_the_file() -> None:
    """Each password is a variable without a default."""
    text = (ROOT / "compose.yaml").read_text()
    for name, kind, _ in PLACE.findall(text):
        if name in credentials():
            assert kind == "?", f"{name} has a default"
    for line in text.splitlines():
        if re.search(r"(PASSWORD|SECRETS?|_KEY|TOKEN):", line):
            assert "${" in line, line


def test_every_written_credential_is_used() -> None:
    """tools.compose_env.py makes nothing that compose.yaml does not ask for."""
    asked = {name for name, _, _ in PLACE.findall((ROOT / "compose.yaml").read_text())}
    assert credentials().keys() - asked == set()


@pytest.mark.parametrize("name", [*PROCESSES, "migrate"])
def test_our_processes_are_confined(name: str) -> None:
    """Read-only root, no capabilities, no new privileges, the one image; only the gateway shows."""
    process = compose()["services"][name]
    assert process["read_only"] is True
    assert process["cap_drop"] == ["ALL"]
    assert process["security_opt"] == ["no-new-privileges:true"]
    assert process["image"] == "maestro:local"
    assert [port.split(":")[0] for port in process.get("ports", [])] == (
        ["127.0.0.1"] if name == "gateway" else []
    )


def test_the_image_runs_as_nobody_and_refuses_failpoints() -> None:
    """The image's user is a number other than root's, and it calls itself production."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    assert image_environment()["MAESTRO_IMAGE"] == "production"
    assert "runtime.lock" in text
    assert "embedded.lock" not in text
    assert "HEALTHCHECK" in text
