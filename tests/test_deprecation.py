"""Old names work, and say what they are called now."""

import warnings

import pytest
from sklearn.base import BaseEstimator, clone

from sktgsh._deprecation import renamed_argument, renamed_attribute


class Index(BaseEstimator):
    """An estimator whose parameter and attribute were renamed."""

    rows_ = renamed_attribute("rows_", "ids_", since="0.2", until="0.4")

    @renamed_argument("size", "n_bits", since="0.2", until="0.4")
    def __init__(self, n_bits=8, *, radius=1):
        self.n_bits = n_bits
        self.radius = radius

    @renamed_argument("among", "filter", since="0.2", until="0.4")
    def fit(self, X, *, filter=None):
        self.ids_ = [row for row in range(len(X)) if filter is None or filter[row]]
        return self


def test_new_names_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = clone(Index(4)).set_params(n_bits=5).fit("ab", filter=[True, False])
    assert index.ids_ == [0]
    assert index.get_params() == {"n_bits": 5, "radius": 1}
    assert repr(index) == "Index(n_bits=5)"


def test_old_names_warn_and_work():
    with pytest.warns(
        FutureWarning, match=r"'size' of Index.__init__ is called 'n_bits' since 0.2"
    ):
        index = Index(size=4)
    with pytest.warns(FutureWarning, match="'among' of Index.fit .* goes in 0.4") as caught:
        index.fit("ab", among=[False, True])
    assert caught[0].filename == __file__
    with pytest.warns(FutureWarning, match="'rows_' of Index is called 'ids_'"):
        assert index.rows_ == [1]
    assert index.n_bits == 4


def test_both_names_are_an_error():
    with pytest.raises(TypeError, match="'n_bits' and 'size', which is its old name"):
        Index(n_bits=4, size=4)
    with pytest.raises(TypeError, match="unexpected keyword argument 'height'"):
        Index(height=4)
