"""Writes `.env` for compose.yaml: credentials of your own, made once, readable by you alone."""

import base64
import os
import secrets
import sys
import uuid
from pathlib import Path

OWNERS = ("auth", "tracking", "registry")
CLIENTS = ("gateway", "tracking", "registry")
FILE = Path(__file__).parents[1] / ".env"


def credentials() -> dict[str, str]:
    """Every credential of a deployment, each made afresh."""
    made = {
        "POSTGRES_SUPERUSER_PASSWORD": _password(),
        "POSTGRES_ADMIN_PASSWORD": _password(),
        "REDIS_PASSWORD": _password(),
        "KAFKA_CLUSTER_ID": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        "KAFKA_ADMIN_PASSWORD": _password(),
        "TRACKING_KAFKA_PRODUCER_PASSWORD": _password(),
        "AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    for service in OWNERS:
        made[f"{service.upper()}_APP_PASSWORD"] = _password()
        made[f"{service.upper()}_RELAY_PASSWORD"] = _password()
    for service in {*OWNERS, *CLIENTS}:
        made[f"{service.upper()}_KAFKA_PASSWORD"] = _password()
    for service in CLIENTS:
        made[f"{service.upper()}_CLIENT_SECRET"] = _password()
    return dict(sorted(made.items()))


def _password() -> str:
    # Hexadecimal: it stands unescaped in URLs, in Kafka's settings and in lists with commas.
    return secrets.token_hex(24)


def main() -> int:
    """Write the file, unless there is one: its credentials are in use."""
    text = "".join(f"{name}={value}\n" for name, value in credentials().items())
    try:
        opened = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{FILE.name} exists and is left as it is: what runs with it would lose access.")
        return 1
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {FILE.name}, readable by you alone; keep a copy somewhere safe")
    return 0


if __name__ == "__main__":
    sys.exit(main())
