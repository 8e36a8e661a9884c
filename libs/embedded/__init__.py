"""PostgreSQL, Redis and Apache Kafka as child processes, for `make up`, tests and the bench.

async with platform(home, os.environ, terminal()) as parts:
    parts.environment["MAESTRO_POSTGRES_URL"]; await parts.kafka.stop(); parts.redis.kill()
"""

from libs.embedded.environment import environment
from libs.embedded.errors import Problem
from libs.embedded.home import Home, default_home
from libs.embedded.parts import Parts, platform
from libs.embedded.progress import Progress, terminal

__all__ = [
    "Home",
    "Parts",
    "Problem",
    "Progress",
    "default_home",
    "environment",
    "platform",
    "terminal",
]
