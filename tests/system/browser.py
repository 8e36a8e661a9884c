"""A headless Chromium on the web pages, and what happened in it: requests, failures, dialogs."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from playwright.async_api import BrowserContext, Dialog, Page, Request, Response, async_playwright

from tests.chromium import chromium

ARGUMENTS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_SECONDS: Final = 40
SIZE: Final = (1280, 800)


@dataclass
class Seen:
    """What a page did: answers that failed, requests that reached elsewhere, dialogs, its console."""

    url: str
    failed: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def of(self, page: Page) -> None:
        """Watch a page."""
        page.on("response", self._response)
        page.on("requestfinished", self._request)
        page.on("dialog", self._dialog)
        page.on("console", lambda said: self.logged.append(said.text))

    def _response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.url.startswith(self.url):
            self.answered.append(path)
            if response.status >= 400:
                self.failed.append(f"{response.status} {response.request.method} {response.url}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(request.url)

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()


@dataclass
class Browser:
    """Somebody's browser on one platform."""

    url: str
    context: BrowserContext
    page: Page
    seen: Seen

    async def open(self, path: str, *texts: str) -> Page:
        """Go to a page of the application by its `#…`, and wait until it shows all `texts`."""
        where = f"{path}{'&' if '?' in path else '?'}workspace=default"
        await self.page.goto(f"{self.url}/#{where}")
        for text in texts:
            await self.shows(text)
        return self.page

    async def shows(self, text: str) -> None:
        """Wait until a text is to be seen."""
        found = self.page.get_by_text(text).filter(visible=True).first
        await found.wait_for()

    async def drawn(self) -> None:
        """Wait until the plot that compares runs is there; it says so where it cannot be drawn."""
        await self.page.locator(".js-plotly-plot canvas").first.wait_for(state="attached")
        assert await self.page.get_by_text("WebGL is not supported").count() == 0

    async def sign_in(self, token: str) -> None:
        """Sign in with a token, on the page that one is sent to."""
        await self.page.goto(f"{self.url}/")
        await self.page.locator("#by-token input[name=secret]").fill(token)
        await self.page.get_by_role("button", name="Sign in with the token").click()
        await self.page.wait_for_url(f"{self.url}/**")


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Browser]:
    """A fresh browser, of which nothing is kept."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium(), args=list(ARGUMENTS)
        )
        width, height = SIZE
        context = await launched.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        page = await context.new_page()
        seen = Seen(url)
        seen.of(page)
        try:
            yield Browser(url, context, page, seen)
        finally:
            await launched.close()


def compared(runs: list[str], experiment: str) -> str:
    """The page that compares runs."""
    chosen, among = quote(json.dumps(runs)), quote(json.dumps([experiment]))
    return f"/compare-runs?runs={chosen}&experiments={among}"
