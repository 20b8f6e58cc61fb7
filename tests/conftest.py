"""What several test files share."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from browser import chromium, why_no_browser

# Tests run many tiny networks: on several threads these spend their time waiting for one another.
torch.set_num_threads(1)

# Whole files, by what they take: these are left out of `pytest -m fast`.
SLOW = {
    "test_abc_against_music21",
    "test_benchmarks",
    "test_checkpoints",
    "test_command_line",
    "test_constraints",
    "test_datasets",
    "test_engraving",
    "test_explorers_in_browser",
    "test_explorers_in_jupyterlab",
    "test_imports",
    "test_javascript",
    "test_jupyterlab",
    "test_midi_folder",
    "test_midi_mutations",
    "test_midi_round_trip",
    "test_models",
    "test_players_in_browser",
    "test_pretrained",
    "test_public_names",
    "test_recurrence",
    "test_scores",
    "test_seams",
    "test_training",
}
# What computes in the precision or by the instructions of a processor; `make test` runs them as without AVX-512, too.
PROCESSOR = {"test_models", "test_precision", "test_stepping", "test_training"}

NO_BROWSER = "no browser, so no browser tests: "


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; where there is none, all tests that need it are skipped."""
    if reason := why_no_browser():
        pytest.skip(NO_BROWSER + reason)
    with chromium() as browser:
        yield browser


def pytest_collection_modifyitems(items):
    """Mark the tests of a file as its lists above say."""
    for item in items:
        if item.path.stem not in SLOW:
            item.add_marker("fast")
        if item.path.stem in PROCESSOR:
            item.add_marker("processor")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Give all tests that miss a browser one place, since pytest sums up skips by place: one line for all of them."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_BROWSER in report.longrepr[2]:
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report
