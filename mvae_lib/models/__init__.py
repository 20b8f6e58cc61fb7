"""The models, one file a paper: MusicVAE and the feed-forward models of the first chapters."""
