"""The pictures of docs/web-ui.md: `python -m tests.system.pages` takes them anew.

A platform of its own, on which the stock client logs what the tests of the pages look at.
"""

import asyncio
import json
import os
import tempfile
from pathlib import Path

from libs.embedded import Progress, platform
from libs.embedded.environment import PAGES
from tests.deployments import Deployment, deployed
from tests.system.browser import Browser, browsing, compared
from tests.system.test_journey import run, with_token

PICTURES = Path(__file__).parents[2] / "docs/pages"
LOGGING = Path(__file__).parent / "journey_pages.py"


async def main() -> None:
    """Start, log, take the pictures, stop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "MAESTRO_PORT": "0"}
        async with platform(folder / "home", env, Progress(print)) as parts:
            environment = {**parts.environment, "GATEWAY_UI_FOLDER": str(PAGES)}
            async with deployed(environment, folder) as deployment:
                said = await run(LOGGING, login=with_token(deployment), folder=folder)
                await _pictures(deployment, json.loads(said.splitlines()[-1]))


async def _pictures(deployment: Deployment, made: dict[str, object]) -> None:
    experiment, model = str(made["experiment"]), str(made["model"])
    runs = [str(run_id) for run_id in made["runs"]]  # type: ignore[attr-defined]
    place = f"/experiments/{experiment}"
    async with browsing(deployment.url) as browser:
        await browser.page.goto(f"{deployment.url}/sign-in")
        await _take(browser, "sign-in")
        await browser.sign_in(deployment.token)
        await browser.open(f"{place}/runs", "ridge-0", "ridge-1")
        await _take(browser, "experiment")
        await browser.open(f"{place}/runs/{runs[0]}", "0.8125", model)
        await _take(browser, "run")
        await browser.open(f"{place}/runs/{runs[0]}/model-metrics", "loss")
        await browser.page.locator(".js-plotly-plot .scatterlayer path").first.wait_for()
        await _take(browser, "metrics")
        await browser.open(compared(runs, experiment), "ridge-1", "1.25")
        await browser.drawn()
        await _take(browser, "compare")
        await browser.open(f"/models/{model}", "champion")
        await _take(browser, "model")


async def _take(browser: Browser, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await browser.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
    print(name, (PICTURES / f"{name}.png").stat().st_size // 1024, "kB", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
