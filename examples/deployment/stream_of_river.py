"""
A stream, row by row
====================

river learns from one row at a time. A hasher learns in closed form from sums over rows: a wrapper
that hands over a few rows at once is all you need, and codes come out row by row. **Use this when**
your program is written with river.

Run in an empty folder, after ``pip install river`` beside this package.
"""

# %%
# The wrapper: river's rows are dicts of features.
import numpy as np
from river import base, stream
from sklearn.datasets import load_digits

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision


class StreamHasher(base.SupervisedTransformer):
    """Codes of a hasher that learns by the hundred rows."""

    def __init__(self, hasher, rows=100):
        self.hasher, self.rows = hasher, rows
        self.waiting = []

    def learn_one(self, x, y):
        self.waiting.append((list(x.values()), y))
        if len(self.waiting) == self.rows:
            features, labels = zip(*self.waiting)
            self.hasher.partial_fit(np.array(features), np.array(labels))
            self.waiting = []

    def transform_one(self, x):
        code = self.hasher.transform(np.array([list(x.values())]))[0]
        return dict(enumerate(code.tolist()))


# %%
# Digits arrive one after another; the last 300 are kept back.
X, y = load_digits(return_X_y=True)
model = StreamHasher(TaskGeometricHasher(n_bits=32, random_state=0))
for x, label in stream.iter_array(X[:-300], y[:-300]):
    model.learn_one(x, label)

codes = np.array([list(model.transform_one(x).values()) for x, _ in stream.iter_array(X[-300:])])
print("by the hundred", round(mean_average_precision(codes, y[-300:]), 3))
at_once = TaskGeometricHasher(n_bits=32, random_state=0).fit(X[:-300], y[:-300])
print("all at once   ", round(mean_average_precision(at_once.transform(X[-300:]), y[-300:]), 3))
