"""What several test files share."""

import pytest
import torch
from browser import chromium, why_no_browser

# Tests run many tiny networks: on several threads these spend their time waiting for one another.
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium. Where there is none, all tests that need it skip here, which pytest reports in one line."""
    if reason := why_no_browser():
        pytest.skip(f"no browser: {reason}")
    with chromium() as browser:
        yield browser
