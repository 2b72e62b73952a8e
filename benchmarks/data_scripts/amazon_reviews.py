"""Make ``amazon_reviews.npz``.

Run ``python benchmarks/data_scripts/amazon_reviews.py SOURCE FOLDER``. SOURCE is the folder
``data`` of github.com/GRAAL-Research/domain_adversarial_neural_network (licence of the repository:
BSD 2-Clause), FOLDER the one that benchmarks read.
"""

import sys
from pathlib import Path

import numpy as np
from files import check, save
from sklearn.datasets import load_svmlight_file

# At commit 74eec5e.
CHECKSUMS = {
    "books_train.svmlight": "317f9a2ec34b81de770b63a84d8c5cc2dc16bd0be6e079d2ff5b5bad5213ea19",
    "books_test.svmlight": "fe4605c7dcf0e0a9410fd2a32f247caaf9abb352cc6e4c3e0f400853163ad9c4",
    "dvd_train.svmlight": "95f602aa08bf6b55758f7b0b18df3882fe30acb11987ee60b6b4bb3c44cba733",
    "dvd_test.svmlight": "4fe1b1a15010f78d8d0c49fe362d35fd4677463a45f1ac02a9f410ae1e638060",
    "electronics_train.svmlight": (
        "7d0061f03ff3827e4f8036b051b5e5828fddc0cd115aa5b212cd28d624dc14e4"
    ),
    "electronics_test.svmlight": "641783bc941839c3a111d3488a1b7e3bd820a61ec14a129e7429b47703aa961d",
    "kitchen_train.svmlight": "a70b5ebfe1413e0e16280360905f5c3b64389c435cd20c0165dc9d7f293b31b5",
    "kitchen_test.svmlight": "e1502b97a824eb12314be4447394fa736fecb781c0724e6529cd6733ac7ff6d8",
}
PRODUCTS = ["books", "dvd", "electronics", "kitchen"]
PARTS = ["train", "test"]
N_WORDS = 5000


def reviews(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts of words, and 1 for a positive review, else 0.

    Parameters
    ----------
    path : Path
        File with a review in each line: 1 or -1, then numbers of words, from 0, with counts.

    Returns
    -------
    counts : ndarray of shape (n_reviews, 5000)
        As uint8.
    positive : ndarray of shape (n_reviews,)
        As int64.
    """
    counts, sign = load_svmlight_file(str(path), n_features=N_WORDS, zero_based=True)
    return counts.toarray().astype(np.uint8), (sign > 0).astype(np.int64)


def arrays(source: Path) -> dict[str, np.ndarray]:
    """The reviews of all products, training rows first within each product.

    Parameters
    ----------
    source : Path
        Folder with two files for each kind of product.

    Returns
    -------
    arrays : dict
        What the npz file holds.
    """
    files = [(product, part) for product in PRODUCTS for part in PARTS]
    found = [reviews(source / f"{product}_{part}.svmlight") for product, part in files]
    sizes = [len(positive) for _, positive in found]
    return dict(
        # Columns lie together, as in our file: equal files have equal checksums.
        X=np.asfortranarray(np.concatenate([counts for counts, _ in found])),
        y=np.concatenate([positive for _, positive in found]),
        task=np.repeat([PRODUCTS.index(product) for product, _ in files], sizes),
        split=np.repeat([part for _, part in files], sizes),
        task_names=np.array(PRODUCTS),
        class_names=np.array(["negative", "positive"]),
    )


if __name__ == "__main__":
    source = Path(sys.argv[1])
    check(source, CHECKSUMS)
    made = arrays(source)
    save(Path(sys.argv[2], "amazon_reviews.npz"), made)
