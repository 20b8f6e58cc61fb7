"""What a user types: the names of `import mvae_lib as mv`, and the block of the README, word for word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import mvae_lib as mv

ROOT = Path(__file__).resolve().parents[1]
CHILD_OF_THE_BLOCK = """
import dataclasses, sys
from mvae_lib.models import config
# The block trains as long as its configuration says, which is hours; here it is the same model for three updates.
long = config._CONFIGURATIONS["mel_2bar"]
short = dataclasses.replace(long.training, updates=3, batch=4)
config._CONFIGURATIONS = {**config._CONFIGURATIONS, "mel_2bar": dataclasses.replace(long, training=short)}
exec(sys.stdin.read())
print(path.shape)
"""


def test_every_public_name_is_there_and_is_documented():
    assert 10 <= len(mv.__all__) <= 20
    for name in mv.__all__:
        assert getattr(mv, name).__doc__, name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod_pretrained'"):
        mv.laod_pretrained  # noqa: B018


def test_importing_the_library_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'music21', 'matplotlib', 'anywidget'}"
    code = f"import sys, mvae_lib; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_block_of_the_readme_runs_word_for_word(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(import mvae_lib as mv\n.*?)```", readme, re.DOTALL)
    rng = np.random.default_rng(0)
    (tmp_path / "tunes").mkdir()
    melodies = mv.folk_melodies(2, "test").sample(12, seed=0).tokens
    for name, tokens in zip(["a", "b", *(f"tunes/{number}" for number in range(10))], melodies, strict=True):
        mv.write_midi(tokens, tmp_path / f"{name}.mid", tempo=rng.integers(80, 140))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MVAE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", CHILD_OF_THE_BLOCK]
    done = subprocess.run(command, cwd=tmp_path, input=block, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("torch.Size([7, 32])")
    assert (tmp_path / "between.mid").stat().st_size > 50
    assert (tmp_path / "runs" / "mine" / "checkpoint.json").is_file()


@pytest.fixture(scope="module")
def model():
    return mv.load_pretrained("mel_2bar")


@pytest.fixture(scope="module")
def melody():
    return mv.folk_melodies(2, "test").tokens[0]


def test_arrays_tensors_and_lists_one_example_or_a_batch(model, melody):
    batch = model.encode(melody[None]).mu
    for given in (melody, torch.from_numpy(melody), melody.tolist(), melody.astype(np.int64)):
        mu = model.encode(given).mu
        assert mu.shape == (64,)
        torch.testing.assert_close(mu, batch[0])
    tokens = model.decode(batch[0].detach().numpy())
    assert tokens.shape == (32,) and torch.equal(model.decode(batch)[0], tokens)
    assert torch.equal(model.reconstruct(melody.tolist()), tokens)
    path = model.interpolate(melody, melody[::-1].copy(), 5)
    assert path.shape == (5, 32) and torch.equal(path[0], tokens)


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        (np.zeros(40, int), ValueError, r"\[32\].*\[40\]"),
        (np.zeros((2, 32, 3), int), ValueError, r"\[2, 32, 3\]"),
        (np.full(32, 95), ValueError, "0 to 89.*95"),
        (np.full(32, -1), ValueError, "0 to 89.*-1"),
        (np.zeros(32), TypeError, "whole numbers, not .*float64"),
    ],
)
def test_tokens_that_do_not_fit_are_refused_in_one_sentence(model, tokens, error, words):
    with pytest.raises(error, match=words):
        model.encode(tokens)


def test_latent_vectors_that_do_not_fit_are_refused(model):
    with pytest.raises(ValueError, match=r"\[64\].*not \[63\]"):
        model.decode(np.zeros(63))
    with pytest.raises(ValueError, match="NaN"):
        model.decode(np.full(64, np.nan))
    with pytest.raises(ValueError, match="no control signal"):
        model.decode(np.zeros(64), control=np.zeros(3))


def test_temperature_and_top_p_are_options_of_all_that_decodes(model, melody):
    def seeded():
        return torch.Generator().manual_seed(1)

    one = model.sample(3, seeded(), temperature=1.0)
    assert torch.equal(one, model.sample(3, seeded(), temperature=1.0))
    assert not torch.equal(one, model.sample(3, seeded()))
    nearly_greedy = model.reconstruct(melody, top_p=1e-6, generator=seeded())
    assert torch.equal(nearly_greedy, model.reconstruct(melody))
    with pytest.raises(ValueError, match="temperature"):
        model.sample(1, temperature=0.0)
    with pytest.raises(ValueError, match="at least 2 points"):
        model.interpolate(melody, melody, 1)
    with pytest.raises(ValueError, match="slerp, lerp"):
        model.interpolate(melody, melody, path="arc")
