"""The page of tests/client_app: made of the recipes of docs/clients.md, served here, and opened in Chromium.

What it needs comes by `make clients`; `missing` says what is not there.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from listening import listening

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
APP = ROOT / "tests" / "client_app"
RECIPES = dict(re.findall(r"```js\n// (\S+)\.js\n(.*?)```", GUIDE, re.DOTALL))
BY_SRP = "amplify-v6-by-srp"  # the recipe without its flow, which the guide proposes where everybody is created ahead
_FLOW = ", options: { authFlowType: 'USER_PASSWORD_AUTH' }"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
_BUILD_SECONDS = 120
_WAIT_MS = 60_000  # far more than it takes: a machine may be busy


def missing() -> str:
    """What the page in the browser lacks, with the remedy; empty if nothing."""
    parts = {
        "npm": shutil.which("npm"),
        "Chromium": CHROMIUM,
        "Playwright": importlib.util.find_spec("playwright"),
        "the page's packages": (APP / "node_modules" / "vite").is_dir(),
    }
    absent = [name for name, there in parts.items() if not there]
    return f"not here: {', '.join(absent)}. Install npm and chromium, then: make clients" if absent else ""


def build(folder: Path) -> Path:
    """Make the page of the recipes as they stand in the guide; return where it is."""
    project = folder / "app"
    shutil.copytree(APP, project, ignore=shutil.ignore_patterns("node_modules"))
    (project / "node_modules").symlink_to(APP / "node_modules")
    write_recipes(project / "src" / "recipes", ".js")
    command = ["node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"]
    subprocess.run(command, cwd=project, check=True, timeout=_BUILD_SECONDS)
    return project / "dist"


def write_recipes(folder: Path, suffix: str) -> list[Path]:
    """Write the guide's JavaScript into files, each named as its first line says."""
    folder.mkdir()
    recipes = RECIPES | {BY_SRP: RECIPES["amplify-v6"].replace(_FLOW, "")}
    files = {folder / f"{name}{suffix}": code for name, code in recipes.items()}
    for path, code in files.items():
        path.write_text(code, encoding="utf-8")
    return [*files]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from another origin than the sandbox's; gives its address."""
    with listening(partial(_Quiet, directory=folder)) as url:
        yield url


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a headless Chromium; gives Playwright's browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- only there after `make clients`

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Visitor:
    """Somebody at the page: what they type, what they read, and what the browser sent and said meanwhile."""

    def __init__(self, browser: Any, address: str, endpoint: str, pool: str, client: str) -> None:
        self._context = browser.new_context()
        self._address, self._endpoint = address, endpoint
        self._settings = {"endpoint": endpoint, "pool": pool, "client": client}
        self.page = self._context.new_page()
        self.page.set_default_timeout(_WAIT_MS)
        self.sent: list[dict[str, Any]] = []
        self.console: list[str] = []
        self.page.on("request", self._note)
        self.page.on("console", lambda message: self.console.append(message.text))

    def _note(self, request: Any) -> None:
        if request.url.startswith(self._endpoint) and request.method == "POST":
            operation = request.headers["x-amz-target"].partition(".")[2]
            self.sent.append({"operation": operation, **(request.post_data_json or {})})

    def open(self, app: str) -> None:
        """Open the page as an app of a client library, or of SRP."""
        self.page.goto(f"{self._address}/?{urlencode({'app': app, **self._settings})}")
        self.page.locator("body[data-ready]").wait_for()

    def sign_in(self, username: str, password: str) -> str:
        """Fill in the form and press the button; return what the page says then."""
        return self._submit("sign-in", username=username, password=password)

    def reset(self, code: str, chosen: str) -> str:
        """Fill in the form of forgot-password and press the button; return what the page says then."""
        return self._submit("reset", code=code, chosen=chosen)

    def _submit(self, form: str, **fields: str) -> str:
        for name, value in fields.items():
            self.page.fill(f"#{form} [name={name}]", value)
        self.page.click(f"#{form} button")
        self.page.locator("button[disabled]").wait_for(state="detached")
        return str(self.page.text_content("#said"))

    def kept(self) -> str:
        """Everything that the page has left in the browser's storage."""
        return str(self.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))

    def leave(self) -> None:
        """Close the page, and forget what it stored."""
        self._context.close()
