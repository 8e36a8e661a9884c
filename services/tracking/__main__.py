"""`python -m services.tracking`: tracking in a process of its own."""

import os

from libs.common.process import run
from services.tracking.service import SERVICE

if __name__ == "__main__":
    run([SERVICE], dict(os.environ))
