"""Explorers of the latent space: for mouse and keyboard, in a notebook, with Python decoding as they are moved.

    LatentMap      a map of melodies: a click plays one, a drag moves through the space between them
    Blender        two melodies, a slider between them, and the whole path as a strip
    AttributeMixer a slider for each attribute: the requested change and the measured one
    MelodyPad      a square between four melodies

They are independent of the model: they are given `decode` (z `[B, Z]` -> tokens `[B, T]`) and, where they read a
melody, `encode` (tokens `[B, T]` as an array -> z `[B, Z]`):

    model = load_pretrained("mel_2bar")
    Blender(a, b, encode=lambda tokens: encode_all(model, tokens).mu, decode=model.decode)

Without a kernel, as in a page made by nbconvert, they play what was computed when the cell ran. A notebook that was
saved in JupyterLab holds their live views as well, which nbconvert would prefer; for a page that can be played, say
`jupyter nbconvert --to html --NbConvertBase.display_data_priority='["text/html", "image/png", "text/plain"]'`, or store
the notebook by `tools/notebooks.py`, as the course does.

Chapter: 09.
"""

from mvae_lib.widgets.explorers.blender import Blender
from mvae_lib.widgets.explorers.latent_map import LatentMap
from mvae_lib.widgets.explorers.mixer import AttributeMixer
from mvae_lib.widgets.explorers.pad import MelodyPad

__all__ = ["AttributeMixer", "Blender", "LatentMap", "MelodyPad"]
