"""Players for notebooks: `play` works on any page, `Player` can be driven from Python. Chapter: 00."""

from mvae_lib.widgets.column import column
from mvae_lib.widgets.players import Player, play

__all__ = ["Player", "column", "play"]
