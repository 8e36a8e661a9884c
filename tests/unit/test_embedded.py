"""The embedded platform's own rules: ports, secrets, variables, words and waiting."""

import asyncio
import json
import socket
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from libs.embedded import Home, Problem, Progress, environment
from libs.embedded.client import access
from libs.embedded.kafka_jars import KAFKA_VERSION, fetch, jars_folder, read_lock
from libs.embedded.kafka_settings import argument_word, escaped, login
from libs.embedded.ports import CHOICE, GATEWAY_PORT, check_free, choose_ports, is_free, kept_ports
from libs.embedded.process import Process
from tests.waiting import eventually

ANYWHERE = {"MAESTRO_PORT": "0"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A data folder where ports were chosen and no platform was started."""
    choose_ports(tmp_path, ANYWHERE)
    return Home(tmp_path)


def test_ports_are_chosen_once_and_all_different(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, ANYWHERE)
    assert kept_ports(tmp_path) == first
    assert len(set(first.values())) == len(first)
    assert all(port in CHOICE for port in first.values())


def test_the_gateway_takes_its_usual_port_only_while_that_is_free(tmp_path: Path) -> None:
    usual = choose_ports(tmp_path, {})["gateway"]
    assert usual == GATEWAY_PORT or not is_free(GATEWAY_PORT)


def test_a_port_asked_for_is_kept_from_then_on(tmp_path: Path) -> None:
    before = choose_ports(tmp_path, ANYWHERE)
    moved = choose_ports(tmp_path, {"MAESTRO_PORT": "8123"})
    assert moved == before | {"gateway": 8123}
    assert kept_ports(tmp_path) == moved


def test_zero_chooses_anew_only_when_the_kept_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]
        assert choose_ports(tmp_path, {"MAESTRO_PORT": str(taken)})["gateway"] == taken
        chosen = choose_ports(tmp_path, ANYWHERE)["gateway"]
    assert chosen != taken
    assert choose_ports(tmp_path, ANYWHERE)["gateway"] == chosen


@pytest.mark.parametrize("asked", ["http", "-1", "70000", "80 "])
def test_a_port_that_is_none_is_named(tmp_path: Path, asked: str) -> None:
    with pytest.raises(Problem, match="MAESTRO_PORT should be a port number"):
        choose_ports(tmp_path, {"MAESTRO_PORT": asked})


def test_a_taken_port_of_a_part_names_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with pytest.raises(Problem, match=rf"{port} .*kept for redis.*MAESTRO_REDIS_PORT"):
            check_free({"redis": port}, ["redis"], patience=0)


def test_a_secret_is_made_once_and_closed_to_others(home: Home) -> None:
    assert home.secret("one") == home.secret("one") != home.secret("two")
    assert (home.path / "secrets" / "one").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="MAESTRO_HOME"):
        Home(tmp_path / "file").open()


def test_a_broken_version_file_is_named(home: Home) -> None:
    (home.path / "version").write_text("new\n")
    with pytest.raises(Problem, match="version should hold the number"):
        home.open()


def test_a_client_is_told_to_start_a_platform_first(home: Home) -> None:
    with pytest.raises(Problem, match="make up"):
        access(home)


def test_each_service_has_logins_of_its_own(home: Home) -> None:
    made = environment(home, ANYWHERE)
    passwords = [
        unquote(urlsplit(url).password or "")
        for name, url in made.items()
        if name.endswith("_DATABASE_URL")
    ]
    passwords += [value for name, value in made.items() if name.endswith("_KAFKA_PASSWORD")]
    assert len(passwords) == len(set(passwords)) == 10
    secrets = dict(pair.split("=") for pair in made["AUTH_CLIENT_SECRETS"].split(","))
    assert secrets == {
        name: made[f"{name.upper()}_AUTH_CLIENT_SECRET"]
        for name in ("gateway", "registry", "tracking")
    }


def test_a_real_postgres_gives_the_services_urls_their_place(home: Home) -> None:
    real = "postgresql://root:secret@db.example:6432/ml?sslmode=require"
    made = environment(home, ANYWHERE | {"MAESTRO_POSTGRES_URL": real})
    assert made["MAESTRO_POSTGRES_URL"] == real
    url = urlsplit(made["TRACKING_DATABASE_URL"])
    assert (url.username, url.hostname, url.port) == ("tracking_app", "db.example", 6432)
    assert (url.path, url.query) == ("/ml", "sslmode=require")


def test_what_the_user_sets_goes_first(home: Home) -> None:
    given = {"TRACKING_ARTIFACT_STORE": "s3://bucket/prefix", "REGISTRY_PORT": "", "PATH": "/bin"}
    made = environment(home, given)
    assert made["TRACKING_ARTIFACT_STORE"] == "s3://bucket/prefix"
    assert int(made["REGISTRY_PORT"]) in CHOICE
    assert "PATH" not in made


def test_kafkas_settings_escape_what_stands_in_a_path() -> None:
    assert escaped(Path("/data/münchen/🐘\\x")) == "/data/m\\u00fcnchen/\\ud83d\\udc18\\\\x"
    with pytest.raises(Problem, match="comma"):
        escaped(Path("/a,b"))
    assert argument_word('a "b" \\c') == '"a \\"b\\" \\\\c"'
    assert login("Module", "me", "pw", {"user_me": "pw"}) == (
        'Module required username="me" password="pw" user_me="pw";'
    )


def test_every_jar_is_pinned() -> None:
    pinned = read_lock()
    assert f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}" in pinned
    assert all(len(digest) == 64 and int(digest, 16) for digest in pinned.values())


def test_a_jar_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forged(repository: Path, group: str, artifact: str, version: str) -> Path:
        file = repository / f"{group}-{artifact}-{version}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"not what was pinned")
        return file

    monkeypatch.setattr("libs.embedded.kafka_jars._download", forged)
    with pytest.raises(Problem, match=r"could not be fetched: .*SHA-256 differs"):
        fetch(tmp_path, lambda _done, _of: None)
    assert not jars_folder(tmp_path).exists()


def test_giving_up_ends_the_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(_done: int, _of: int) -> None:
        raise Problem("given up")

    monkeypatch.setattr("libs.embedded.kafka_jars._fetch_one", lambda *_: None)
    with pytest.raises(Problem, match="given up"):
        fetch(tmp_path, give_up)
    assert not jars_folder(tmp_path).exists()


async def test_a_step_is_told_with_its_time() -> None:
    said: list[str] = []
    progress = Progress(said.append)
    async with progress.step("Something"):
        await asyncio.sleep(0)
    assert said == ["  Something (0.0 s)"]


async def test_a_failed_step_is_not_told_as_done() -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="broken"):
        async with Progress(said.append).step("Something"):
            raise ValueError("broken")
    assert said == []


async def test_a_child_that_ends_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "print('no room left'); raise SystemExit(3)"]
    child = Process("Child", words, tmp_path / "child.log", {})
    child.spawn()

    async def never() -> bool:
        return False

    with pytest.raises(Problem, match=r"(?s)Child ended with status 3.*no room left"):
        await child.until(never, within=10)


async def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    )
    child = Process("Child", [sys.executable, "-c", code], tmp_path / "child.log", {})
    child.spawn()
    await eventually(lambda: "up" in child.last_words())
    await child.stop(within=0.1)
    assert child.status == -9


def test_ports_are_written_for_people_to_read(tmp_path: Path) -> None:
    choose_ports(tmp_path, ANYWHERE)
    assert set(json.loads((tmp_path / "ports.json").read_text())) >= {"gateway", "postgres"}
