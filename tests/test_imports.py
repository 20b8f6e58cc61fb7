"""What a training machine needs: torch, numpy, safetensors and tqdm, and none of what the rest of the course needs."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from mvae_lib.music.representation import REPRESENTATIONS

ROOT = Path(__file__).resolve().parents[1]
ENOUGH = {"torch", "numpy", "safetensors", "tqdm"}
IMPORTED_AS = {"scikit-learn": "sklearn", "ipython": "IPython", "pytest-cov": "pytest_cov"}
CHILD = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"{name} is not on a training machine", name=name)

sys.meta_path.insert(0, Missing())
for name in sys.argv[2].split(","):
    importlib.import_module(f"mvae_lib.{name}")
"""


def import_on_a_training_machine(*modules: str) -> str:
    """What Python complains about, where all other packages that pyproject.toml names, and scipy, are missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    packages = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}
    assert packages > ENOUGH
    missing = {IMPORTED_AS.get(package, package) for package in packages - ENOUGH} | {"scipy"}
    command = [sys.executable, "-c", CHILD, ",".join(missing), ",".join(modules)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def test_a_model_is_trained_evaluated_and_saved_with_four_packages():
    complaint = import_on_a_training_machine(
        "models.musicvae", "data.folk", "training.checkpoints", "evaluation.metrics", "data.ngram"
    )
    assert not complaint


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_representation_is_imported_where_there_is_no_midi(name):
    own = REPRESENTATIONS[name]
    module = own.partition(":")[0] if isinstance(own, str) else "mvae_lib.music.representation"
    assert not import_on_a_training_machine(module.removeprefix("mvae_lib."))


@pytest.mark.parametrize(("module", "package"), [("plots.charts", "matplotlib"), ("music.midi", "mido")])
def test_the_machine_of_this_test_has_no_more_than_those(module, package):
    assert f"{package} is not on a training machine" in import_on_a_training_machine(module)
