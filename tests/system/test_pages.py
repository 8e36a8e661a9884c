"""MLflow's web pages in a browser: they open, show what was logged, and run nothing of it."""

import asyncio
import json
import re
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from libs.embedded import Parts
from libs.embedded.environment import PAGES
from tests.deployments import Deployment, deployed
from tests.system.browser import PATIENCE_SECONDS, Browser, browsing, compared
from tests.system.test_journey import run, with_token

LOGGING = Path(__file__).parent / "journey_pages.py"
BESIDE = Path(__file__).parent / "journey_beside.py"


@dataclass
class Shown:
    """A browser that is signed in, what was logged for it to show, and what asked the canary."""

    browser: Browser
    deployment: Deployment
    made: dict[str, Any]
    canary: list[bytes]


@asynccontextmanager
async def canary() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that nobody should ask: its address, and who did."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown(
    fresh_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shown]:
    """Pages about what the stock client logged, some of it hostile, beside another tenant's."""
    environment = {**fresh_parts.environment, "GATEWAY_UI_FOLDER": str(PAGES)}
    logs = tmp_path_factory.mktemp("logs")
    async with canary() as (address, heard), deployed(environment, logs) as deployment:
        folder = tmp_path_factory.mktemp("client")
        other = await asyncio.to_thread(second_tenant, deployment)
        said, _ = await asyncio.gather(
            run(LOGGING, address, login=with_token(deployment), folder=folder),
            run(BESIDE, login=other, folder=folder),
        )
        async with browsing(deployment.url) as browser:
            await browser.sign_in(deployment.token)
            yield Shown(browser, deployment, json.loads(said.splitlines()[-1]), heard)


def second_tenant(deployment: Deployment) -> dict[str, str]:
    """Another tenant with an owner; how that one's client signs in."""
    operator = Path(deployment.environment["AUTH_OPERATOR_TOKEN_FILE"]).read_text().strip()
    body = {"name": "globex", "owner": "gus@globex.example"}
    made = _asked(deployment, "/api/maestro/v1/tenants", body, operator)
    code = made["owner"]["code"]
    accepting = {"code": code, "password": "a password of globex"}
    _asked(deployment, "/api/maestro/v1/invitations/accept", accepting, "")
    return {
        "MLFLOW_TRACKING_URI": deployment.url,
        "MLFLOW_TRACKING_USERNAME": "globex/gus@globex.example",
        "MLFLOW_TRACKING_PASSWORD": "a password of globex",
    }


def _asked(deployment: Deployment, path: str, body: dict[str, str], token: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode()
    url = deployment.url + path
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - our own gateway
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def unharmed(browser: Browser) -> None:
    """No request failed, none left the platform, and nothing asked anything of the reader."""
    assert browser.seen.failed == []
    assert browser.seen.elsewhere == []
    assert browser.seen.dialogs == []


async def harmed(browser: Browser) -> bool:
    """Whether a script of what was logged ran in the page, or said so from a frame of it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        in_page: bool = await browser.page.evaluate("'harmed' in window")
    return in_page or "harmed" in browser.seen.logged


# By name: the page, and what it shows of what was logged. Words in braces stand for things.
PLACE = "/experiments/{experiment}"
SHOWN = {
    "experiments": ("/experiments", ("prices",)),
    "runs": (f"{PLACE}/runs", ("ridge-0", "ridge-1")),
    "logged models": (f"{PLACE}/models", ("echo",)),
    "run": (f"{PLACE}/runs/{{first}}", ("alpha", "0.25", "0.8125", "0.125", "price-model")),
    "metrics": (f"{PLACE}/runs/{{first}}/model-metrics", ("loss", "r2")),
    "file": (f"{PLACE}/runs/{{first}}/artifacts/prices.csv", ("prices.csv", "300")),
    "models": ("/models", ("price-model",)),
    "model": ("/models/price-model", ("price-model", "champion")),
    "version": ("/models/price-model/versions/1", ("Version 1", "champion")),
}
HOSTILE = {
    "runs": (f"{PLACE}/runs", "window.harmed"),
    "run": (f"{PLACE}/runs/{{hostile}}", "attack"),
    "page": (f"{PLACE}/runs/{{hostile}}/artifacts/x.html", "x.html"),
    "picture": (f"{PLACE}/runs/{{hostile}}/artifacts/x.svg", "x.svg"),
    "markdown": (f"{PLACE}/runs/{{hostile}}/artifacts/x.md", "x.md"),
    "version": ("/models/price-model/versions/1", "attack"),
}


def filled(shown: Shown, path: str) -> str:
    """A path with the ids of what was logged."""
    made = shown.made
    return path.format(
        experiment=made["experiment"], first=made["runs"][0], hostile=made["hostile"]
    )


@pytest.mark.parametrize("name", SHOWN)
async def test_a_page_opens_and_shows_what_was_logged_and_nobody_elses(
    shown: Shown, name: str
) -> None:
    path, texts = SHOWN[name]
    page = await shown.browser.open(filled(shown, path), *texts)
    assert "globex" not in await page.content()
    unharmed(shown.browser)


async def test_runs_are_compared(shown: Shown) -> None:
    browser, runs = shown.browser, shown.made["runs"]
    await browser.open(compared(runs, shown.made["experiment"]), "ridge-0", "ridge-1", "1.25")
    await browser.drawn()
    unharmed(browser)


async def test_the_pages_asked_for_what_is_answered_here(shown: Shown) -> None:
    asked = set(shown.browser.seen.answered)
    assert {"/graphql", "/ajax-api/2.0/mlflow/runs/search", "/get-artifact"} <= asked


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_notes_and_files_run_nothing(shown: Shown, name: str) -> None:
    path, text = HOSTILE[name]
    browser = shown.browser
    await browser.open(filled(shown, path), text)
    if name == "page":
        frame = browser.page.frame_locator("iframe").first
        await frame.get_by_text("Hostile page").wait_for()
    assert not await harmed(browser)
    unharmed(browser)
    assert shown.canary == []


async def test_a_file_opened_by_its_address_is_downloaded_and_runs_nothing(shown: Shown) -> None:
    browser = shown.browser
    where = f"/get-artifact?run_id={shown.made['hostile']}&path=x.html"
    answer = await browser.context.request.get(browser.url + where)
    assert answer.status == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_link_signs_in_leads_where_it_should_and_out_again(shown: Shown) -> None:
    deployment = shown.deployment
    made = await asyncio.to_thread(
        _asked, deployment, "/api/maestro/v1/sign-in-links", {}, deployment.token
    )
    async with browsing(deployment.url) as browser:
        page = browser.page
        # Opened, as anything may open it, it is not spent.
        for _ in range(2):
            await page.goto("about:blank")
            await page.goto(deployment.url + made["path"])
            await browser.shows("You came by a link")
        assert "msl_" not in page.url
        await page.get_by_role("button", name="Sign in with the link").click()
        await browser.shows("default")
        run_id, experiment = shown.made["runs"][0], shown.made["experiment"]
        wanted = f"#/experiments/{experiment}/runs/{run_id}"
        await page.goto(f"{deployment.url}/sign-in")
        await page.get_by_role("button", name="Sign out").click()
        await page.goto("about:blank")
        await page.goto(f"{deployment.url}/{wanted}")
        await page.locator("#by-token input[name=secret]").fill(deployment.token)
        await page.get_by_role("button", name="Sign in with the token").click()
        await browser.shows("ridge-0")
        assert re.search(f"/{re.escape(wanted)}", page.url)
        unharmed(browser)
