"""The course says each thing with the field's own term; this searches for the terms that it no longer uses.

A term is a regular expression with word boundaries, and beside it stands what to say. Where a word has a real use of
its own (code for program text, a note that is drawn, a clock that measures), the expression asks for the words around.
"""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]

TERMS = {
    r"\brebuil(?:t|ds|ding)\b": "reconstruct",
    r"\bcopyist\b": "reconstruction",
    r"\bcodes\b": "latent vectors",
    r"\b(?:nats?|bits?|ignores?|uses?|reads?|of|into|from) (?:of )?(?:a|the|its|each) code\b": "latent vector, z",
    r"\ball codes together\b": "aggregated posterior",
    r"\bthe coin\b|\b(?:as|the|a) judge\b|\bjudges\b": "reference n-gram model",
    r"\brealism\b(?! critic| constraint|\** \(negative log-likelihood)": "negative log-likelihood per step",
    r"\b(?:surprises?|surprised|surprise)\b": "negative log-likelihood",
    r"\bpric(?:e|es|ed|ing)\b": "KL weight beta",
    r"\bwhat z costs\b": "KL weight beta",
    r"\bphased in\b": "KL annealing",
    r"\bdrawn (?:by lot|from|at random|uniformly|independently)\b|\bby lot\b": "sampled",
    r"\bdraws? (?:from|of|z|a z|at random|itself|its|melod|sampl|one from)|\bdraw\.$|\bcan draw\b": "sample",
    r"\bmost probable\b": "greedy decoding (argmax)",
    r"\bdice\b": "sample",
    r"\bstrangers?\b": "shuffled z",
    r"\bdeaf\b|\bfalls? silent\b|\bfell silent\b": "ablated; ignores z; is inactive",
    r"\btwins?\b": "matched model",
    r"\bbest guess(?:es)?\b": "variational approximation",
    r"\bdoubts?\b": "posterior standard deviation",
    r"\bdetours?\b": "path-length ratio",
    r"\bfirst state\b": "initial state",
    r"\bmaps? to each bar\b": "per-bar projections of z",
    r"\ball bars at once\b": "batched over bars",
    r"\bwish(?:es|ed)?\b": "request",
    r"\bhouse\b|\brooms\b|\bfloors\b|\bfaces\b": "package, module, layer, user interface",
    # a unit with "a" in place of "per"
    r"\b(?:nats?|bits?|onsets?|notes?|seconds?|milliseconds?|ms|tokens?|steps?|bars?|updates?|melodies|sequences|windows)"
    r" an? (?:step|bar|beat|melody|tune|window|update|second|note|token|example|dimension|sequence|month|day)\b": "per",
}
# These words have a use of their own in program text: an event listener, the clock of a processor.
IN_PROSE = {
    r"\blisteners?\b": "reference n-gram model",
    r"(?<!wall )(?<!MIDI )(?<!audio )\bclocks?\b": "position information",
}
NAMES = {
    r"\bexact_rate\b": "exact_match",
    r"\bcollapse\.listen\b|\bListening\b": "diagnose, CollapseReport, PlayerOutput",
    r"\bfree_run\b|\bunroll\b|\bmix_in_samples\b": "generate, generate_steps, scheduled_sampling",
    r"\bz_maps\b|\bz_per_step\b|\bz_per_bar\b": "z_projections, per_step_z, per_bar_z",
    r"\bbalanced_start\b": "scaled_init",
    r"\bdef dense\b|\bimport dense\b": "linear",
    r"\bFacts\b": "CheckpointMetadata",
    r"\bone_at_a_time\b": "skyline",
    r"\bin_every_key\b": "transpose_to_all_keys",
    r"\bpath_through\b|\bslice_grid\b": "piecewise_path, latent_grid",
    r"\bdistortion_at\b": "hull_distortion",
    r"\bexplained_by_(?:each|all)\b": "r2_per_dimension, r2_linear",
    r"\bby_distance\b": "lag_similarity",
    r"\bmended\b": "a name that says what is repaired",
    r"\bgraphs\.py\b": "cuda_graph.py",
    r"\binstruments/": "explorers/",
}
FORBIDDEN = {re.compile(term, re.IGNORECASE): say for term, say in TERMS.items()}
FORBIDDEN_IN_PROSE = {re.compile(term, re.IGNORECASE): say for term, say in IN_PROSE.items()}
FORBIDDEN |= {re.compile(name): say for name, say in NAMES.items()}
# Where an old name is what the text is about: checkpoints of format 1 hold it.
ABOUT_OLD_NAMES = ("mvae_lib/training/storage.py", "tests/test_checkpoints.py")
ITSELF = Path(__file__).name


def searched() -> list[str]:
    """Every text of the project, by its name from the root."""
    patterns = (
        "*.md",
        "mvae_lib/**/*.py",
        "mvae_lib/**/*.js",
        "mvae_lib/*.md",
        "docs/**/*.md",
        "datasets/**/*.md",
        "datasets/**/*.py",
        "benchmarks/*",
        "tests/**/*.py",
        "tools/*.py",
        "chapters/*.ipynb",
        "solutions/*.ipynb",
    )
    paths = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.name != ITSELF and not str(path).endswith(ABOUT_OLD_NAMES)
    )


def lines_of(path: Path) -> list[tuple[str, str]]:
    """(where, line) of what an author wrote: of a notebook the sources of its cells, not the outputs."""
    if path.suffix != ".ipynb":
        return [(str(number), line) for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)]
    cells = nbformat.read(path, as_version=4).cells
    return [(f"cell {number}", line) for number, cell in enumerate(cells, 1) for line in cell.source.splitlines()]


def found_in(path: Path) -> list[str]:
    """What of the old terms is left in a text, a line each."""
    terms = FORBIDDEN | (FORBIDDEN_IN_PROSE if path.suffix in (".md", ".ipynb") else {})
    return [
        f"{where}: {match[0]!r} (say: {say}) in {line.strip()[:100]!r}"
        for where, line in lines_of(path)
        for term, say in terms.items()
        if (match := term.search(line))
    ]


@pytest.mark.parametrize("name", searched())
def test_the_text_uses_the_terms_of_the_field(name):
    found = found_in(ROOT / name)
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "the tune is rebuilt from its code",
        "3 nats a step",
        "the listener prefers it",
        "its twin",
        "the price of a bit",
        "a throw of dice",
        "z drawn from the prior",
        "a stranger's z",
    ],
)
def test_what_the_first_edition_said_is_found(line, tmp_path):
    (tmp_path / "page.md").write_text(line, encoding="utf-8")
    assert found_in(tmp_path / "page.md")


@pytest.mark.parametrize(
    "line",
    [
        "12 lines of code, a code cell, the code below",
        "the note is drawn in the accent colour",
        "const listener = () => {}; // the audio clock",
        "a realism critic",
        "nats per step",
        "once a month",
    ],
)
def test_real_uses_of_the_same_words_are_not(line, tmp_path):
    (tmp_path / "page.js").write_text(line, encoding="utf-8")
    assert found_in(tmp_path / "page.js") == []
