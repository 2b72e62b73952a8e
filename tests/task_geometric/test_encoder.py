import numpy as np
import pytest
from scipy import sparse

from sktgsh.task_geometric.encoding.scaling import distinct_rows


def table():
    X = np.zeros((6, 5))
    X[0, 1], X[1, 1], X[2, [1, 4]], X[4, 0] = 3.0, 3.0, (3.0, 7.0), -2.0
    return X  # rows 0 and 1 are the same, and so are 3 and 5


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_distinct_rows_whatever_their_order(make):
    X, rows = table(), np.arange(6)
    found = X[distinct_rows(make(X), rows)]
    assert sorted(found.tolist()) == np.unique(X, axis=0).tolist()
    backwards = X[::-1].copy()
    np.testing.assert_array_equal(backwards[distinct_rows(make(backwards), rows)], found)


def test_sparse_rows_are_told_apart_by_their_values_alone(monkeypatch):
    plain = sparse.csr_array(table())
    # Row 2 with its columns in another order, and row 3 with a zero that is stored.
    indices, data = np.array([1, 1, 4, 1, 2, 0]), np.array([3.0, 3.0, 7.0, 3.0, -0.0, -2.0])
    odd = sparse.csr_array((data, indices, [0, 1, 2, 4, 5, 6, 6]), shape=(6, 5))
    monkeypatch.setattr(sparse.csr_array, "toarray", None)  # rows never become dense
    np.testing.assert_array_equal(
        distinct_rows(odd, np.arange(6)), distinct_rows(plain, np.arange(6))
    )
    np.testing.assert_array_equal(odd.indices, indices)  # nor does X change
