"""The Build exercises of all chapters together are a MusicVAE with the library's losses, in fewer than 250 lines."""

import nbformat
import pytest

from tools import build_file


def notebook(folder, chapter, answer, title="Build: a part (Build, medium, 10 minutes)"):
    cells = [
        nbformat.v4.new_markdown_cell(f"### Exercise {int(chapter)}.2 · {title}", id=f"exercise-{chapter}-2-task"),
        nbformat.v4.new_code_cell(answer, id=f"exercise-{chapter}-2-answer"),
        nbformat.v4.new_code_cell("check", id=f"exercise-{chapter}-2-check"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{chapter}_name.ipynb")


def test_answers_are_found_by_their_title_and_lose_their_marks(tmp_path):
    notebook(tmp_path, "03", "def gaussian_kl(mu, sigma):\n    # BEGIN SOLUTION\n    return mu\n    # END SOLUTION")
    notebook(tmp_path, "04", "def other():\n    pass", title="the sample (pen and paper, 5 minutes)")
    assert build_file.build_answers(tmp_path) == {"03": "def gaussian_kl(mu, sigma):\n    return mu\n"}


def test_what_is_missing_is_named_by_chapter():
    lines = build_file.missing({"03": "def gaussian_kl(mu, sigma): ...", "07": "def beta_at(step, maximum, rate): ..."})
    assert len(lines) == len(build_file.NAMES) - 1
    assert "chapter 04: no Build exercise is in its solution (sample_latent)" in lines
    assert "chapter 07: its Build answer does not define word_dropout" in lines


def test_the_file_has_one_block_of_imports_and_the_chapters_in_order():
    text = build_file.assemble({"04": "def b(): ...", "03": "import math\nfrom torch import nn\n\ndef a(): ..."})
    assert text.count("import math") == 1
    assert text.index("def a") < text.index("def b")
    compile(text, "file", "exec")


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    answers = build_file.build_answers()
    absent = build_file.missing(answers)
    assert not absent, "\n".join(["Build answers are missing:", *absent])
    path = tmp_path_factory.mktemp("build") / "musicvae_by_hand.py"
    path.write_text(build_file.assemble(answers), encoding="utf-8")
    return path


def test_the_file_is_short(assembled):
    assert assembled.read_text(encoding="utf-8").count("\n") < build_file.MAX_LINES


def test_the_file_trains_and_decodes_as_the_library_does(assembled):
    result = build_file.compare(build_file.load(assembled))
    assert len(result.by_hand) == len(result.library) == build_file.UPDATES
    assert result.largest_difference < build_file.TOLERANCE
    assert sum(result.by_hand[-20:]) < 0.5 * sum(result.by_hand[:20])  # it has learned something
    assert result.same_tokens > 0.999  # a tie may be broken otherwise on another processor
    assert result.same_logits < 1e-4
    assert result.same_notes == 1
