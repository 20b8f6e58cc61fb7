import pytest

from mvae_lib.exercises import installation
from mvae_lib.exercises.installation import check_installation


def test_a_whole_installation_is_fine_and_says_so():
    report = check_installation()
    assert report.fine, repr(report)
    assert repr(report).endswith("All is well.")
    assert [name for name, _, _ in report.lines] == ["Python", "packages", "data", "sound", "players"]


@pytest.mark.parametrize(
    ("name", "replacement", "words"),
    [
        ("requires", lambda package: ["no-such-package>=1"], "no-such-package is not installed"),
        ("requires", lambda package: ["numpy>=999"], "numpy>=999 is needed"),
        ("folk_melodies", lambda bars, split: [][0], "IndexError"),
        ("synthesize", lambda tokens, tempo: installation.np.ones(1000), "440 Hz after a silence"),
    ],
)
def test_what_is_broken_is_named_and_the_other_checks_still_run(monkeypatch, name, replacement, words):
    monkeypatch.setattr(installation, name, replacement)
    report = check_installation()
    assert not report.fine
    assert sum(not fine for _, fine, _ in report.lines) == 1
    assert words in repr(report)
    assert repr(report).endswith("see the lines with ✘.")
