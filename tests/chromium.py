"""Whether there is a browser to test the web pages in."""

import os
import shutil

from libs.embedded.environment import PAGES


def chromium() -> str | None:
    """Where Chromium is: CHROMIUM says so, or it is among the commands; None where there is none."""
    return (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )


def what_is_missing() -> str:
    """What the tests of the web pages lack here, '' where nothing."""
    if chromium() is None:
        return "Chromium: `make test` as root installs it on Debian, CHROMIUM names one elsewhere"
    if not PAGES.is_dir():
        return f"MLflow's pages in {PAGES}: `make` unpacks them"
    return ""
