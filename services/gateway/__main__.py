"""`python -m services.gateway`: the gateway over services at their URLs."""

import os

from libs.common.process import run
from services.gateway.service import SERVICE

if __name__ == "__main__":
    run([SERVICE], dict(os.environ))
