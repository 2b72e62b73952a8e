"""The order of the examples: by what a reader needs first."""

from pathlib import Path

ORDER = [
    *("plot_task_column", "plot_which_hasher", "plot_rotated_digits", "plot_new_task"),
    *("plot_binarise_embeddings", "plot_text", "plot_search", "plot_rivals"),
    *("plot_new_classes", "plot_code_length", "plot_whose_task", "plot_cross_task"),
    *("plot_stream", "plot_multilabel", "plot_exchange_model", "plot_duplicates"),
    *("plot_hash_tables", "plot_inner_products", "plot_camera_position"),
]


def place(filename):
    """Where an example stands; those that are not named come last, by name."""
    name = Path(filename).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
