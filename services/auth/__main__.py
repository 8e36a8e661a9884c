"""`python -m services.auth`: auth in a process of its own."""

import os

from libs.common.process import run
from services.auth.service import SERVICE

if __name__ == "__main__":
    run([SERVICE], dict(os.environ))
