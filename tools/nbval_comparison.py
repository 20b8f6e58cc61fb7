"""How `pytest --nbval` compares a chapter's outputs with the stored ones, from whatever folder it is started.

Text and integers compare exactly. Decimal numbers compare within FLOAT_REL and FLOAT_ABS, because processors differ in
the last digits of a training run. A cell tagged `live-sound` plays what a model has just decoded: there the player
must be present, while its notes may differ. A cell tagged `trained-figures` prints what models have just learned:
training amplifies the last digits, so its decimals compare within TRAINED_REL and TRAINED_ABS, and its spaces not at
all. The player's JavaScript is left out, so that a change to it does not touch every chapter.
"""

import copy
import re

FLOAT_REL, FLOAT_ABS = 2e-2, 1e-3
TRAINED_REL, TRAINED_ABS = 0.5, 0.5
DECIMAL = re.compile(r"(?<![\w.])[-+]?\d*\.\d+(?:e[-+]?\d+)?(?![\w.])", re.IGNORECASE)
SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)
PLAYER = re.compile(r"<mvae-(\w+).*</mvae-\1>", re.DOTALL)  # or an explorer, which holds one


def same_but_for_last_digits(text: str, stored: str, rel: float = FLOAT_REL, least: float = FLOAT_ABS) -> bool:
    """True where the two differ in decimal numbers only, and each of these agrees within the tolerance."""
    if DECIMAL.split(text) != DECIMAL.split(stored):
        return False
    pairs = zip(DECIMAL.findall(text), DECIMAL.findall(stored), strict=True)
    return all(abs(float(a) - float(b)) <= least + rel * abs(float(b)) for a, b in pairs)


def compare_outputs(exactly, cell, outputs, stored, skip_compare=None) -> bool:
    """nbval's comparison `exactly` of a cell's outputs with the stored ones, once both are in a comparable form."""
    tags = cell.metadata.get("tags", [])
    live_sound, trained = "live-sound" in tags, "trained-figures" in tags
    outputs, stored = _comparable(outputs, live_sound), _comparable(stored, live_sound)
    for output, reference in zip(outputs, stored, strict=False):
        _forgive_last_digits(output, reference, trained)
        _forgive_last_digits(output.get("data", {}), reference.get("data", {}), trained)
    return exactly(outputs, stored, skip_compare)


def _forgive_last_digits(mine: dict, reference: dict, trained: bool) -> None:
    for key in mine.keys() & reference.keys():
        both_text = isinstance(mine[key], str) and isinstance(reference[key], str)
        if both_text and _alike(mine[key], reference[key], trained):
            mine[key] = reference[key]


def _alike(mine: str, stored: str, trained: bool) -> bool:
    if not trained:
        return same_but_for_last_digits(mine, stored)
    mine, stored = (re.sub(r" +", " ", text) for text in (mine, stored))  # a longer number moves its column
    return same_but_for_last_digits(mine, stored, TRAINED_REL, TRAINED_ABS)


def _comparable(outputs: list, live_sound: bool) -> list:
    outputs = copy.deepcopy(outputs)
    for data in (output["data"] for output in outputs if "text/html" in output.get("data", {})):
        data["text/html"] = SCRIPT.sub("", data["text/html"])
        if live_sound and PLAYER.search(data["text/html"]):
            data["text/html"] = data["text/plain"] = "a player of what was just decoded"
    return outputs
