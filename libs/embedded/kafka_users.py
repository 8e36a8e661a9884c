"""The users of a Kafka cluster: one per service, each with its own password."""

import time
from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from libs.embedded.errors import Problem

ITERATIONS = 4096
PATIENCE_SECONDS = 60


def put_users(
    bootstrap: str,
    admin: str,
    password: str,
    users: Mapping[str, str],
    protocol: str = "SASL_PLAINTEXT",
) -> None:
    """Make the users, or set their passwords; raises Problem when Kafka does not take them.

    Blocks until the broker does what it is asked, so that afterwards it is ready for clients.
    """
    client = AdminClient(
        {
            "bootstrap.servers": bootstrap,
            "security.protocol": protocol,
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": admin,
            "sasl.password": password,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
    )
    wanted = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, ITERATIONS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = dict(users)
    while waiting:
        orders: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(name, wanted, waiting[name].encode()) for name in waiting
        ]
        answers = client.alter_user_scram_credentials(orders, request_timeout=5)
        for name, answer in answers.items():
            try:
                answer.result()
                del waiting[name]
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Problem(
                        f"Kafka at {bootstrap} did not take the user {name}: {error.args[0]}"
                    ) from error
                time.sleep(0.05)
