"""Where other packages describe what these pages name, so that building needs no network.

Intersphinx reads inventories, and usually fetches them. These pages and examples mention few names
of other packages: they stand here, and become inventories when the site is built.
"""

import zlib
from pathlib import Path

# Package: address, page of a name, names of classes, names of functions.
PACKAGES = {
    "numpy": (
        "https://numpy.org/doc/stable/",
        "reference/generated/$.html#$",
        "numpy.memmap",
        "numpy.packbits",
    ),
    "scikit-learn": (
        "https://scikit-learn.org/stable/",
        "modules/generated/$.html#$",
        """sklearn.compose.ColumnTransformer sklearn.decomposition.PCA
        sklearn.decomposition.TruncatedSVD sklearn.feature_extraction.text.TfidfVectorizer
        sklearn.model_selection.GridSearchCV sklearn.model_selection.GroupKFold
        sklearn.model_selection.StratifiedKFold
        sklearn.neighbors.NearestNeighbors sklearn.pipeline.Pipeline
        sklearn.preprocessing.MaxAbsScaler sklearn.preprocessing.MinMaxScaler
        sklearn.preprocessing.QuantileTransformer sklearn.preprocessing.StandardScaler
        sklearn.svm.LinearSVC""",
        """sklearn.config_context sklearn.datasets.load_digits sklearn.datasets.load_iris
        sklearn.datasets.load_sample_image sklearn.datasets.make_multilabel_classification
        sklearn.model_selection.train_test_split sklearn.pipeline.make_pipeline
        sklearn.show_versions sklearn.utils.estimator_checks.check_estimator""",
    ),
}


def intersphinx_mapping(folder: Path) -> dict:
    """Write the inventories into ``folder``; the mapping that intersphinx wants."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for package, (address, page, classes, functions) in PACKAGES.items():
        head = f"# Sphinx inventory version 2\n# Project: {package}\n# Version:\n# zlib\n"
        lines = [
            # Sphinx itself expands a $ only at the end of an address.
            f"{name} py:{role} 1 {page.replace('$', name)} -\n"
            for role, names in (("class", classes), ("function", functions))
            for name in names.split()
        ]
        file = folder / f"{package}.inv"
        file.write_bytes(head.encode() + zlib.compress("".join(lines).encode()))
        mapping[package] = (address, str(file))
    return mapping
