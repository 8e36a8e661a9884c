"""Runs tracking, the registry and a witness in one process, over and over, loaded only once.

A line of JSON on standard input, the environment, starts them in a forked process; one line tells
its id and, when it has ended, another its exit code. One at a time.
"""

import json
import os
import signal
import sys

from libs.common.process import run
from libs.common.service import Service
from libs.embedded.launch import PR_SET_PDEATHSIG, prctl
from services import service
from tests.faults.witness import WITNESS


def main() -> None:
    """Start one process a line, until the input ends."""
    # The last one faces out.
    services = [WITNESS, service("registry"), service("tracking")]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            _live(services, json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(services: list[Service], env: dict[str, str]) -> None:
    code = 1
    try:
        run(services, env)
        code = 0
    except SystemExit as end:
        print(end, file=sys.stderr, flush=True)
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
