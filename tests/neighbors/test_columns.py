"""Data frames whose columns come in another order are refused, as scikit-learn does."""

import numpy as np
import pandas as pd
import pytest

from sktgsh.neighbors import HammingNeighbors, LSHNeighbors, RescoredNeighbors

NAMES = [f"x{i}" for i in range(6)]


@pytest.mark.parametrize(
    "index", [HammingNeighbors(), LSHNeighbors(), RescoredNeighbors()], ids=str
)
def test_columns_in_another_order_are_refused(index):
    bits = np.random.default_rng(0).integers(0, 2, (40, 6))
    bits[:, 0] = 1  # no zero vectors
    frame = pd.DataFrame(bits, columns=NAMES)
    index.fit(frame)
    assert index.feature_names_in_.tolist() == NAMES
    expected = index.kneighbors(frame)
    swapped = frame[NAMES[::-1]]
    for call in (
        index.kneighbors,
        index.radius_neighbors,
        index.kneighbors_graph,
        index.add,
    ):
        with pytest.raises(ValueError, match="same order"):
            call(swapped)
    with pytest.raises(ValueError, match="feature names"):
        index.kneighbors(frame.rename(columns={"x0": "other"}))
    for one, other in zip(expected, index.kneighbors(frame)):
        np.testing.assert_array_equal(one, other)
    index.fit(bits)
    assert not hasattr(index, "feature_names_in_")
    index.kneighbors(bits)
