"""The project's own papers agree with one another."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_environment_yml_installs_what_pyproject_lists():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert f"python{PROJECT['requires-python']}" in plain
    assert pip == ["-c constraints.txt", "-e .[test]"]
    assert "test" in PROJECT["optional-dependencies"]
    assert {entry.split(">")[0] for entry in plain} == {"python", "pip"}


def test_every_dependency_is_locked_at_an_exact_version_without_addresses():
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+( ; .+)?", line) for line in CONSTRAINTS)
    locked = {line.split("==")[0].lower().replace("_", "-") for line in CONSTRAINTS}
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    names = {re.split(r"[><=]", name)[0].lower().replace("_", "-") for name in wanted}
    assert names <= locked
    assert "torch==2.13.0" in CONSTRAINTS


def test_this_python_is_one_of_the_supported():
    low, high = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    assert int(low) <= sys.version_info.minor < int(high)


@pytest.mark.parametrize("pattern", ["../shared", "/work" + "/main", "/opt" + "/wheels"])
def test_no_tracked_file_names_a_path_of_the_machine_it_was_written_on(pattern):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout of git: what belongs to the project is not known")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(paths) > 50
    for path in paths:
        if path.exists() and path != Path(__file__):
            assert pattern.encode() not in path.read_bytes(), f"{path} names {pattern}"
