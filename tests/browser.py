"""A real browser and a real JupyterLab, for the browser tests and for tools/drive_chapter.py."""

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

START_SECONDS = 60


def why_no_browser() -> str | None:
    """The reason why no browser test can run here, or None where one can."""
    if importlib.util.find_spec("playwright") is None:
        return "the package playwright is not installed: pip install -e .[test]"
    if shutil.which("chromium") is None:
        return "no program named chromium is on the PATH: install your system's Chromium"
    return None


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium (playwright's `Browser`), closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def requests_beyond_this_machine(page: Any) -> list[str]:
    """A list that grows by every address `page` asks for on another machine from now on."""
    addresses: list[str] = []
    local = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:", "ws://127.0.0.1:")

    def note(address: str) -> None:
        if not address.startswith(local):
            addresses.append(address)

    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda websocket: note(websocket.url))
    return addresses


@contextlib.contextmanager
def jupyterlab(root: Path, home: Path, dark: bool = False) -> Iterator["Lab"]:
    """A JupyterLab that serves `root` and keeps its files in `home`; it ends with the block, whatever happens in it.

    Long notebooks are laid out whole, so that all their outputs exist. Raises RuntimeError with the server's log if
    it does not start.
    """
    _write_settings(home / "settings", dark)
    port, token = _free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    log = home / "server.log"
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            lab = Lab(f"http://127.0.0.1:{port}", token)
            _wait_until_up(lab, server, log)
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


class Lab(NamedTuple):
    """Where a running JupyterLab answers."""

    url: str
    token: str

    def open(self, page: Any, notebook: str) -> None:
        """Opens `notebook` (a path below the root) in `page`, and waits until its kernel is ready."""
        page.goto(f"{self.url}/doc/tree/{notebook}?token={self.token}")
        page.wait_for_function(
            "globalThis.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0", timeout=START_SECONDS * 1000
        )
        page.evaluate("""async () => {
            const { context, sessionContext } = jupyterapp.shell.currentWidget;
            await context.ready;
            await sessionContext.ready;
            await sessionContext.session?.kernel?.info;
        }""")

    def run_all(self, page: Any, seconds: float) -> list[str]:
        """Runs all cells; returns the errors among the outputs, except where a cell is tagged raises-exception.

        Raises TimeoutError if the notebook is not done within `seconds`.
        """
        page.evaluate("""() => {
            globalThis.ranAll = false;
            jupyterapp.commands.execute("notebook:run-all-cells").finally(() => (globalThis.ranAll = true));
        }""")
        end = time.monotonic() + seconds
        while not page.evaluate("globalThis.ranAll"):
            if time.monotonic() > end:
                raise TimeoutError(f"the notebook is still running after {seconds:g} s")
            page.wait_for_timeout(200)
        return page.evaluate("""() => jupyterapp.shell.currentWidget.content.widgets.flatMap((cell, index) => {
            const { cell_type, outputs = [], metadata } = cell.model.toJSON();
            if (cell_type !== "code" || metadata.tags?.includes("raises-exception")) return [];
            return outputs.filter((output) => output.output_type === "error")
                .map((output) => `cell ${index + 1}: ${output.ename}: ${output.evalue}`);
        })""")


def _write_settings(folder: Path, dark: bool) -> None:
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/themes": {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"},
        "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    }
    for name, values in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_until_up(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
