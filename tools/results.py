"""Print the README's table of results from the cards of the shipped models.

python tools/results.py          # put what it prints between the two marks in README.md; a test compares them
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib.evaluation import report  # noqa: E402
from mvae_lib.pretrained import NAMES, card  # noqa: E402

COLUMNS = ("model", "parameters", "updates", "rate, bits", "teacher-forced", "free-running", "onsets, free-running")


def table() -> str:
    """Step accuracies from mu on the whole test split, and the onset accuracy beside them, as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for name in NAMES:
        facts = card(name)
        whole = report.from_dict(facts["test"]).whole
        shares = (whole.teacher_forced.step, whole.free_running.step, whole.free_running.onset)
        cells = [f"`{name}`", f"{facts['parameters']:,}", f"{facts['update']:,}", f"{whole.rate_bits:.0f}"]
        lines.append("| " + " | ".join(cells + [f"{share:.3f}" for share in shares]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
