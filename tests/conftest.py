"""What several test files share."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from browser import chromium, why_no_browser

# Tests run many tiny networks: on several threads these spend their time waiting for one another.
torch.set_num_threads(1)

NO_BROWSER = "no browser, so no browser tests: "


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; where there is none, all tests that need it are skipped."""
    if reason := why_no_browser():
        pytest.skip(NO_BROWSER + reason)
    with chromium() as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Give all tests that miss a browser one place, since pytest sums up skips by place: one line for all of them."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_BROWSER in report.longrepr[2]:
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report
