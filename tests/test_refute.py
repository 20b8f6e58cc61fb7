import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import notebooks, refute


def cell(source, text="", tags=()):
    outputs = [new_output("stream", name="stdout", text=text)] if text else []
    return new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


@pytest.mark.parametrize(
    ("sources", "used"),
    [
        (
            ["from mvae_lib.pretrained import load_pretrained", "x = load_pretrained('a')", "print(x)", "print(1)"],
            {2, 3},
        ),
        (["import mvae_lib as mv", "y = mv.load_pretrained('a').sample(1)", "z = y + 1", "print(z)"], {2, 3, 4}),
        (["from mvae_lib.pretrained import load_pretrained as load", "m = load('a')", "m = 1", "print(m)"], {2}),
        (
            ["import mvae_lib as mv\nm = mv.load_pretrained('a')", "rows = []", "rows.append(m)", "print(rows)"],
            {1, 3, 4},
        ),
        (["import mvae_lib as mv\nm = mv.load_pretrained('a')", "def f():\n    return m", "print(f())"], {1, 2, 3}),
        (
            ["import mvae_lib as mv\nm = mv.load_pretrained('a')", "import numpy as np\nnp.add(m, 1)", "print(np.pi)"],
            {1, 2},
        ),
    ],
)
def test_a_cell_uses_a_model_that_it_loads_or_through_what_was_computed_from_it(sources, used):
    assert refute.cells_that_use_a_model(new_notebook(cells=[cell(source) for source in sources])) == used


def test_headings_and_control_cells_are_told_from_lines_that_stay_the_same():
    stored = new_notebook(
        cells=[
            cell("a", "model      nats per step\n-----\nreal            1.45\nmel_2bar        1.60\n"),
            cell("b", "the model is better\n"),
            cell("c", "real: 1.45\n", tags=["control"]),
            cell("d", "loss 0.500\n"),
        ]
    )
    rerun = new_notebook(
        cells=[
            cell("a", "model      nats per step\n-----\nreal            1.45\nmel_2bar        4.10\n"),
            cell("b", "the model is better\n"),
            cell("c", "real: 1.45\n", tags=["control"]),
            cell("d", "loss 0.501\n"),  # within the tolerance of nbval
        ]
    )
    lines = refute.compare(stored, rerun, {1, 2, 3, 4})
    assert [line.verdict for line in lines] == ["heading", "heading", "same", "changed", "same", "control", "same"]
    report = refute.table({"09_tiny": lines})
    assert "| 09_tiny | 7 | 1 | 2 | 1 | 3 |" in report
    assert "  cell 2: the model is better" in report


def test_a_notebook_with_untrained_models_prints_other_numbers_and_a_vacuous_verdict_is_found(tmp_path):
    cells = [
        cell("import numpy as np\nfrom mvae_lib.data.folk import folk_melodies"),
        cell("tokens = folk_melodies(2, 'test').tokens[:40]\nprint(len(tokens), 'melodies')"),
        cell("from mvae_lib.pretrained import load_pretrained"),
        cell("model = load_pretrained('mel_2bar')\nagain = model.reconstruct(tokens)"),
        cell("print(f'accuracy {(np.asarray(again) == tokens).mean():.2f} per step')"),
        cell("print('reconstructs more than it writes:', len(again) == 40)"),
        cell("print(model.config.z_size, 'dimensions')", tags=["control"]),
    ]
    path = tmp_path / "09_tiny.ipynb"
    notebooks.write(new_notebook(cells=cells), path)
    notebooks.execute(path)
    verdicts = {line.text.split()[0]: line.verdict for line in refute.refute(path)}
    assert verdicts == {"accuracy": "changed", "reconstructs": "same", "64": "control"}
    assert refute.main([str(path)]) == 1
