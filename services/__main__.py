"""Every service and the gateway, one beside another, and the platform's one-off steps.

`python -m services` serves; `migrate` prepares schemas, topics and access; `republish` tells
current states again; `redrive` puts dead letters back; `first-token` replaces a first token that has
expired.
"""

import argparse
import os

from libs.common.prefork import usual
from libs.common.process import run
from services import all_services
from services.steps import migrate, redrive, republish, step_of_a_service


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    steps = parser.add_subparsers(dest="step", metavar="STEP")
    steps.add_parser("serve", help="serve everything from here (the default)")
    steps.add_parser("migrate", help="bring schemas, topics, broker users and rules up to date")
    told = steps.add_parser("republish", help="tell the current state of a service's things again")
    told.add_argument("service", help="whose state: auth, tracking or registry")
    steps.add_parser("first-token", help="leave another first token in AUTH_FIRST_TOKEN_FILE")
    back = steps.add_parser("redrive", help="put dead letters back on their topics")
    back.add_argument("topics", nargs="*", help="dead-letter topics; all of them by default")
    return parser.parse_args()


def main() -> None:
    """Do the step that was asked for."""
    asked = _arguments()
    env = dict(os.environ)
    if asked.step == "migrate":
        migrate(all_services(), env)
    elif asked.step == "republish":
        republish(asked.service, all_services(), env)
    elif asked.step == "redrive":
        redrive(asked.topics, all_services(), env)
    elif asked.step == "first-token":
        step_of_a_service(asked.step, all_services(), env)
    else:
        run(all_services(), env, usual())


if __name__ == "__main__":
    main()
