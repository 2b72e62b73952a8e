"""The order of the gallery: by what a reader needs first."""

from pathlib import Path

EXAMPLES = {
    "start": "task_column which_hasher binarise_embeddings text no_labels",
    "tasks": "rotated_digits new_task cross_task whose_task",
    "search": "search duplicates hash_tables inner_products",
    "evaluation": "rivals new_classes code_length multilabel",
    "deployment": "stream exchange_model",
    "reproductions": "camera_position winner_take_all",
}
ORDER = [f"plot_{name}" for names in EXAMPLES.values() for name in names.split()]


def place(filename):
    """Where an example stands; those that are not named come last, by name."""
    name = Path(filename).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
