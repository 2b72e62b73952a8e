"""check_hasher passes every hasher of the package, and finds each way of breaking the contract."""

import numpy as np
import pytest
from estimators import HASHERS, name
from sklearn.base import clone

import sktgsh
from sktgsh.testing import check_hasher


@pytest.mark.parametrize("hasher", HASHERS, ids=name)
def test_every_hasher_keeps_the_contract(hasher):
    unfitted = clone(hasher)
    check_hasher(unfitted)
    assert not hasattr(unfitted, "n_bits_")


class Broken(sktgsh.SignedRandomProjectionHasher):
    """A hasher of a third party's; subclasses break it."""


class Float(Broken):
    def transform(self, X, *, task=None):
        return super().transform(X).astype(float)


class Centred(Broken):
    def transform(self, X, *, task=None):
        return super().transform(X - np.mean(X, axis=0))


class Mirrored(Broken):
    def transform(self, X, *, task=None):
        codes = super().transform(X)
        return codes[:, ::-1] if self.packed else codes


class Seedless(Broken):
    def _draw(self, X, rng):
        super()._draw(X, np.random.RandomState(0))


class Restless(Broken):
    def _draw(self, X, rng):
        super()._draw(X, np.random.RandomState())


class Forgetful(Broken):
    def __getstate__(self):
        state = super().__getstate__()
        if "components_" in state:
            state = state | {"components_": -state["components_"]}
        return state


class Careless(Broken):
    def _check_samples(self, X):
        return np.nan_to_num(np.real(np.asarray(X, complex)))


class Touched(Broken):
    def fit(self, X, y=None, *, task=None):
        if hasattr(self, "components_"):
            self.components_ = -self.components_
        return super().fit(X, y)


class Nameless(Broken):
    def get_feature_names_out(self, input_features=None):
        return np.array(["bit"])


class Distant(Broken):
    def score(self, X, y, *, task=None, sample_weight=None):
        return -1.0


class Constant(Broken):
    def transform(self, X, *, task=None):
        return np.ones_like(super().transform(X))


@pytest.mark.parametrize(
    "kind, found",
    [
        (Float, "codes are bits: codes have dtype float64"),
        (Centred, "codes depend on the rows beside them"),
        (Mirrored, "packed=True does not give pack_codes"),
        (Seedless, "random_state changes nothing"),
        (Restless, "a second fit differs"),
        (Forgetful, "a pickle gives other codes"),
        (Careless, "transform of NaN: no error"),
        (Touched, "after an error on NaN codes are others"),
        (Nameless, "1 names for the bits"),
        (Distant, "score is -1.0"),
        (Constant, "all rows have the same code"),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_what_is_broken_is_named(kind, found):
    with pytest.raises(AssertionError) as error:
        check_hasher(kind(16, random_state=0))
    assert found in str(error.value)
    assert kind.__name__ in str(error.value)
