"""Figures: charts, piano rolls, drawings of the models, and the one palette."""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "charts": [
            "along",
            "as_png",
            "by_bar",
            "effects",
            "grouped_bars",
            "labelled_bars",
            "number_grid",
            "piano_roll",
            "piano_rolls",
            "rate_distortion",
            "scatter_by_value",
            "similarity_matrices",
        ],
        "course": ["course_map"],
        "style": ["alt_text", "figure_png", "set_style"],
    },
)
