"""Every variable that the services read, made from a data folder and from what the user set."""

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from libs.embedded.home import Home
from libs.embedded.kafka_settings import ADMIN
from libs.embedded.ports import HOST, kept_ports
from libs.embedded.postgres import Postgres
from libs.embedded.redis import Redis

# MLflow's web pages, which `make` unpacks beside the packages.
PAGES = Path(sys.prefix) / "ui" / "build"
# Services with a database of their own; the gateway owns no data.
OWNERS = ("auth", "tracking", "registry")
CLIENTS = ("gateway", "registry", "tracking")
KAFKA_USERS = (*OWNERS, "gateway")
ROLES = {"DATABASE_URL": "app", "RELAY_DATABASE_URL": "relay"}


def environment(home: Home, env: Mapping[str, str]) -> dict[str, str]:
    """The variables for the services of the platform in `home`; what `env` sets goes first.

    The platform must have been started there once, so that its ports are chosen.
    """
    ports = kept_ports(home.path)
    made = (
        _parts(home, ports)
        | _places(ports)
        | _databases(home, env.get("MAESTRO_POSTGRES_URL") or Postgres(home, ports["postgres"]).url)
        | _secrets(home)
        | {
            "MAESTRO_HOME": str(home.path),
            "MAESTRO_INSTANCE": "embedded",
            "TRACKING_ARTIFACT_STORE": (home.path / "artifacts").as_uri(),
        }
        | ({"GATEWAY_UI_FOLDER": str(PAGES)} if PAGES.is_dir() else {})
    )
    # Ports were moved when they were chosen.
    moved = {name for name in made if env.get(name) and not name.endswith("_PORT")}
    return made | {name: env[name] for name in moved}


def _parts(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "MAESTRO_POSTGRES_URL": Postgres(home, ports["postgres"]).url,
        "MAESTRO_REDIS_URL": Redis(home, ports["redis"]).url,
        "MAESTRO_KAFKA_BOOTSTRAP": f"{HOST}:{ports['kafka']}",
        "MAESTRO_KAFKA_ADMIN_USERNAME": ADMIN,
        "MAESTRO_KAFKA_ADMIN_PASSWORD": home.secret("kafka-admin"),
    }


def _places(ports: Mapping[str, int]) -> dict[str, str]:
    places = {"GATEWAY_HOST": HOST, "GATEWAY_PORT": str(ports["gateway"])}
    for service in OWNERS:
        name = service.upper()
        places[f"{name}_HOST"] = HOST
        places[f"{name}_PORT"] = str(ports[service])
        places[f"{name}_URL"] = f"http://{HOST}:{ports[service]}"
    return places


def _databases(home: Home, admin_url: str) -> dict[str, str]:
    found = {}
    for service in OWNERS:
        for variable, role in ROLES.items():
            login = f"{service}_{role}"
            password = home.secret(f"postgres-{login}")
            found[f"{service.upper()}_{variable}"] = as_user(admin_url, login, password)
    return found


def _secrets(home: Home) -> dict[str, str]:
    found = {
        "AUTH_CLIENT_SECRETS": ",".join(
            f"{name}={home.secret(f'client-{name}')}" for name in CLIENTS
        ),
        "AUTH_KEY_ENCRYPTION_KEY": home.secret("auth-key-encryption", size=32),
        "AUTH_FIRST_TOKEN_FILE": str(home.first_token),
        "AUTH_OPERATOR_TOKEN_FILE": str(home.operator_token),
        "TRACKING_KAFKA_PRODUCER_PASSWORD": home.secret("kafka-maestro-producer"),
    }
    for name in CLIENTS:
        found[f"{name.upper()}_AUTH_CLIENT_SECRET"] = home.secret(f"client-{name}")
    for name in KAFKA_USERS:
        found[f"{name.upper()}_KAFKA_USERNAME"] = name
        found[f"{name.upper()}_KAFKA_PASSWORD"] = home.secret(f"kafka-{name}")
    return found


def as_user(url: str, user: str, password: str) -> str:
    """The same database for another user."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{place}"))
