"""`python -m services.registry`: the registry in a process of its own."""

import os

from libs.common.process import run
from services.registry.service import SERVICE

if __name__ == "__main__":
    run([SERVICE], dict(os.environ))
