"""The JavaScript that needs no browser, tested by Node; and the scripts that a page gets, as Node parses them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mvae_lib.widgets.explorers.page import explorer_module
from mvae_lib.widgets.page import widget_module

NODE = shutil.which("node")
MODULES = {"player": widget_module} | {
    kind: lambda kind=kind: explorer_module(f"mvae-{kind}") for kind in ("map", "blender", "mixer", "pad")
}


@pytest.fixture(scope="module")
def node() -> str:
    """The path of Node, from version 18 on; where there is none, all tests here skip in one line."""
    if NODE is None:
        pytest.skip("no program named node is on the PATH: install Node 18 or newer")
    return NODE


def test_the_scripts_do_what_their_tests_in_javascript_say(node):
    tests = sorted(map(str, (Path(__file__).parent / "javascript").glob("*.test.js")))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_the_joined_scripts_parse_and_neither_import_nor_export(node, name, tmp_path):
    text = MODULES[name]()
    joined = text[: text.index("export default")]
    assert not any(line.startswith(("import ", "export ")) for line in joined.splitlines())
    (tmp_path / "joined.mjs").write_text(text, encoding="utf-8")
    done = subprocess.run([node, "--check", tmp_path / "joined.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
