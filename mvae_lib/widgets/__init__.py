"""Players for notebooks: `play` is heard on any page, `Player` can be driven from Python. Chapter: 00."""

from mvae_lib.widgets.players import Player, play

__all__ = ["Player", "play"]
