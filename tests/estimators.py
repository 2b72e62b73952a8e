"""Every public estimator, small and ready to be fitted: the only list of them in the tests.

A new hasher gets one line in HASHERS. The common tests, bad inputs, files, seeds and kept formats
then try it; ``test_common.py`` fails for a public class that is missing here.
"""

import inspect

from sklearn.preprocessing import Binarizer

import sktgsh
from sktgsh import neighbors

STEPS = sktgsh.GradientSolver(max_epochs=2, batch_size=16)
LSH = [
    sktgsh.SignedRandomProjectionHasher(16, random_state=0),
    sktgsh.SparseProjectionHasher(16, n_inputs=4, random_state=0),
    sktgsh.PStableHasher(16, r=40.0, random_state=0),
    sktgsh.FlyHasher(40, random_state=0),
    sktgsh.DenseFlyHasher(40, random_state=0),
    sktgsh.SignALSH(16, random_state=0),
    sktgsh.SimpleLSH(16, random_state=0),
    sktgsh.L2ALSH(16, random_state=0),
]
UNSUPERVISED = [sktgsh.ITQHasher(16, random_state=0), sktgsh.PCAHasher(16)]
SUPERVISED = [
    sktgsh.TaskGeometricHasher(8, n_hidden=96, random_state=0),
    sktgsh.RidgeHasher(16, random_state=0),
    sktgsh.DeepSupervisedHasher(16, solver=STEPS, random_state=0),
    sktgsh.GeometricHasher(16, n_components=8, solver=STEPS, random_state=0),
]
HASHERS = [*LSH, *UNSUPERVISED, *SUPERVISED]
CHOOSERS = [
    sktgsh.TaskGeometricHasherCV(
        [4, 8], estimator=sktgsh.TaskGeometricHasher(n_hidden=96), cv=2, random_state=0
    ),
]
INDEXES = [
    neighbors.HammingNeighbors(),
    neighbors.LSHNeighbors(n_bits=2, n_tables=40, metric="euclidean", random_state=0),
    neighbors.RescoredNeighbors(metric="euclidean"),
]
TRANSFORMERS = [sktgsh.FeaturesOnly(Binarizer(threshold=30.0), 0)]


def autoencoders(image_shape):
    """Those of flat samples, and of images of a shape."""
    return [
        sktgsh.WinnerTakeAllAutoencoder(8, solver=STEPS, random_state=0),
        sktgsh.ConvWinnerTakeAllAutoencoder(
            image_shape,
            n_filters=(4,),
            filter_size=3,
            decoder_size=3,
            sparsity=0.5,
            pool=2,
            solver=STEPS,
            random_state=0,
        ),
    ]


def everything(image_shape):
    """One estimator of each public class; samples have the size of an image."""
    return [*HASHERS, *CHOOSERS, *INDEXES, *TRANSFORMERS, *autoencoders(image_shape)]


def public_classes():
    """All classes with a method ``fit`` that the package and its indexes name as public."""
    named = [getattr(room, name) for room in (sktgsh, neighbors) for name in room.__all__]
    return {kind for kind in named if inspect.isclass(kind) and hasattr(kind, "fit")}


def name(estimator):
    """The id of an estimator in the list of tests."""
    return type(estimator).__name__
