"""The JavaScript that needs no browser, tested by Node; and the scripts that a page gets, as Node parses them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mvae_lib.widgets.explorers.page import explorer_module
from mvae_lib.widgets.page import widget_module

NODE = shutil.which("node")
KINDS = ("map", "blender", "mixer", "pad")


def joined_scripts() -> dict[str, str]:
    """The modules that anywidget loads, by name."""
    return {"player": widget_module()} | {kind: explorer_module(f"mvae-{kind}") for kind in KINDS}


def test_a_page_gets_no_import_or_export_lines():
    for name, script in joined_scripts().items():
        before_the_glue = script[: script.index("export default")]
        assert not any(line.startswith(("import ", "export ")) for line in before_the_glue.splitlines()), name


@pytest.mark.skipif(NODE is None, reason="no program named node is on the PATH: install Node 18 or newer")
def test_the_scripts_parse_and_do_what_their_tests_in_javascript_say(tmp_path):
    tests = sorted(map(str, (Path(__file__).parent / "javascript").glob("*.test.js")))
    commands = [["--test", *tests]]
    for name, script in joined_scripts().items():
        (tmp_path / f"{name}.mjs").write_text(script, encoding="utf-8")
        commands.append(["--check", str(tmp_path / f"{name}.mjs")])
    for command in commands:
        done = subprocess.run([NODE, *command], capture_output=True, text=True, encoding="utf-8", timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
