"""The map in mvae_lib/README.md is true: every module is on it once, imports never climb, nothing runs in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1] / "mvae_lib"
FLOORS = ("ground", "sound", "data", "model", "work", "faces", "command")
HEAVY = {
    "torch": {"model", "work", "faces", "command"},
    "matplotlib": {"plots", "diagrams"},
    "pretty_midi": {"midi", "extraction"},
    "mido": {"midi"},
    "music21": {"scores"},
    "sklearn": {"projections"},
    "anywidget": {"widgets", "instruments"},
}


def rooms() -> dict[str, str]:
    """Module -> floor, as the README's table says; a folder counts as one module."""
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (\w+) \| (`.*?`) \|", (LIBRARY / "README.md").read_text(encoding="utf-8"), re.M):
        for name in re.findall(r"`(\w+)(?:\.py|/)`", row[1]):
            assert name not in found, f"{name} stands on the map twice"
            found[name] = row[0]
    return found


def files() -> list[Path]:
    return [path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, wherever in the file; `from a import b` counts as a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def neighbours(path: Path) -> set[str]:
    inside = {name.split(".")[1] for name in imports(path) if name.startswith("mvae_lib.")}
    return (inside & set(rooms())) - {room_of(path)}


def test_every_module_is_on_the_map_and_nothing_else_is():
    assert {room_of(path) for path in files()} == set(rooms())
    assert set(rooms().values()) <= set(FLOORS)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_imports_never_climb_and_heavy_packages_stay_where_they_belong(path):
    floor = rooms()[room_of(path)]
    for other in neighbours(path):
        assert FLOORS.index(rooms()[other]) <= FLOORS.index(floor), f"{room_of(path)} ({floor}) imports {other}"
    for name in {name.split(".")[0] for name in imports(path)} & set(HEAVY):
        assert {room_of(path), floor} & HEAVY[name], f"{room_of(path)} imports {name}"


def test_no_imports_run_in_a_circle():
    graph: dict[str, set[str]] = {}
    for path in files():
        graph.setdefault(room_of(path), set()).update(neighbours(path))
    assert len(list(TopologicalSorter(graph).static_order())) == len(rooms())


def test_no_module_is_longer_than_one_sitting():
    too_long = {path.name: count for path in files() if (count := path.read_text(encoding="utf-8").count("\n")) > 300}
    assert too_long == {}
