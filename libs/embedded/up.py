"""`make up`: parts, migrations and services in the foreground, until they are told to stop."""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from libs.embedded.client import gateway_url, sign_in_link
from libs.embedded.errors import Problem
from libs.embedded.home import Home, default_home
from libs.embedded.parts import Parts, platform
from libs.embedded.ports import HOST
from libs.embedded.process import POLL_SECONDS, Process
from libs.embedded.progress import Progress, terminal

ROOT = Path(__file__).parents[2]
CALM_SECONDS = 60.0
SERVICES_STOP_SECONDS = 25.0

QUICK_START = """\
  python3 -m venv ~/mlclient && . ~/mlclient/bin/activate && pip install mlflow scikit-learn
  eval "$({make} env)"
  python -c "{train}"
  python -c "{predict}"
  python -c "{look}"\
"""
TRAIN = (
    "import mlflow; from sklearn import datasets, linear_model; "
    "mlflow.sklearn.autolog(registered_model_name='iris'); "
    "linear_model.LogisticRegression(max_iter=500).fit(*datasets.load_iris(return_X_y=True))"
)
PREDICT = (
    "import mlflow; from sklearn import datasets; "
    "print(mlflow.pyfunc.load_model('models:/iris/1').predict(datasets.load_iris().data[:5]))"
)
LOOK = "import mlflow; print(mlflow.search_runs().T)"


async def up(home: Path, env: Mapping[str, str]) -> int:
    """Run the platform until SIGINT or SIGTERM; gives the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, stop.set)
    progress = terminal()
    progress.say(f"Maestro ML on {home.absolute()}")
    running = asyncio.create_task(_run(home, env, progress))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        progress.say("\nStopping …")
        running.cancel()
    stopped.cancel()
    with suppress(asyncio.CancelledError):
        await running
    progress.say("Stopped.")
    return 0


async def _run(home: Path, env: Mapping[str, str], progress: Progress) -> None:
    """Everything from the parts to the services; ends only by being cancelled or by a Problem."""
    began = time.monotonic()
    async with platform(home, env, progress) as parts:
        first = not parts.home.first_token.exists()
        environment = {**env, **parts.environment}
        await _migrate(parts, environment, progress)
        services = _module(parts, "Services", ["services"], environment, "services")
        services.spawn()
        try:
            async with progress.step("Services"):
                await services.until(_ready(environment), within=60)
            link = await asyncio.to_thread(_sign_in_link, parts.home, env)
            took = time.monotonic() - began
            progress.say(_welcome(parts, env, link=link, first=first, took=took))
            await _watch(parts, services, progress)
        finally:
            # Longer than the services themselves wait for their open requests.
            await services.stop(within=SERVICES_STOP_SECONDS)


async def _migrate(parts: Parts, environment: Mapping[str, str], progress: Progress) -> None:
    migrate = _module(parts, "Migrations", ["services", "migrate"], environment, "migrate")
    async with progress.step("Schemas and topics"):
        migrate.spawn()
        try:
            status = await migrate.ended()
        finally:
            await migrate.stop()
        if status != 0:
            raise Problem(f"Schemas and topics could not be prepared.\n{migrate.last_words(30)}")


def _module(
    parts: Parts, name: str, words: list[str], environment: Mapping[str, str], log: str
) -> Process:
    command = [sys.executable, "-m", *words]
    return Process(name, command, parts.home.logs / f"{log}.log", environment)


def _ready(environment: Mapping[str, str]) -> Callable[[], Awaitable[bool]]:
    port = int(environment["GATEWAY_PORT"])
    request = f"GET /ready HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def ready() -> bool:
        with suppress(OSError, TimeoutError, ValueError, IndexError):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                status = await asyncio.wait_for(reader.readline(), 5)
            finally:
                writer.close()
            return status.split()[1] == b"200"
        return False

    return ready


async def _watch(parts: Parts, services: Process, progress: Progress) -> None:
    """Never return; start a part again that ended by itself, raise Problem when services did.

    A part that ends again within a minute is a Problem as well.
    """
    restarted: dict[str, float] = {}
    while services.running:
        for part in parts.started:
            if part.process is None or part.process.running:
                continue
            words = f"{part.name} ended unexpectedly (status {part.process.status})"
            if time.monotonic() - restarted.get(part.name, -CALM_SECONDS) < CALM_SECONDS:
                raise Problem(f"{words}, for the second time.\n{part.process.last_words()}")
            progress.say(f"{words}; starting it again.")
            restarted[part.name] = time.monotonic()
            async with progress.step(part.name):
                await part.start()
        await asyncio.sleep(POLL_SECONDS * 10)
    raise Problem(
        f"The services ended unexpectedly (status {services.status}).\n{services.last_words()}"
    )


def _sign_in_link(home: Home, env: Mapping[str, str]) -> str:
    """A link to the web pages; where none can be had, how another one is made, or why not."""
    try:
        return f"{sign_in_link(home)}  (once, within 10 minutes; another: {_make(env)} sign-in)"
    except Problem as problem:
        return f"no link to sign in with: {problem}"


def _welcome(parts: Parts, env: Mapping[str, str], *, link: str, first: bool, took: float) -> str:
    file = parts.home.first_token
    where = f"kept in {file}"
    if first and file.exists():
        where = f"{file.read_text(encoding='utf-8').strip()}  (shown this once; {where})"
    quick = QUICK_START.format(make=_make(env), train=TRAIN, predict=PREDICT, look=LOOK)
    return (
        f"\nReady after {took:.1f} s. Ctrl-C stops it.\n"
        f"  URL    {gateway_url(parts.home)}\n"
        f"  Pages  {link}\n"
        f"  Token  {where}\n"
        f"  The operator's token, for making tenants, is kept in {parts.home.operator_token}\n"
        f"\nTry it in another shell:\n{quick}\n"
    )


def _make(env: Mapping[str, str]) -> str:
    """How another shell, in whatever folder, calls `make` for this platform."""
    home = env.get("MAESTRO_HOME")
    moved = f"MAESTRO_HOME={shlex.quote(str(default_home(env).absolute()))} " if home else ""
    return f"{moved}make -s -C {shlex.quote(str(ROOT))}"
