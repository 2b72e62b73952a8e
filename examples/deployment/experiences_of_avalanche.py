"""
Classes that come in experiences
================================

avalanche hands over a benchmark as a stream of experiences, here two new digits in each. The
hasher learns from each in closed form, and sees its rows again only to encode them. **Use this
when** you compare methods of continual learning.

Run in an empty folder, after ``pip install avalanche-lib`` beside this package.
"""

# %%
# The benchmark, from arrays: five experiences of two classes each.
import numpy as np
import torch
from avalanche.benchmarks import tensors_benchmark
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision


def parts(X, y):
    of = [np.isin(y, classes) for classes in np.arange(10).reshape(5, 2)]
    return [(torch.tensor(X[own], dtype=torch.float32), torch.tensor(y[own])) for own in of]


X, Q, y, q = train_test_split(*load_digits(return_X_y=True), test_size=0.25, random_state=0)
benchmark = tensors_benchmark(
    train_tensors=parts(X, y), test_tensors=parts(Q, q), task_labels=[0] * 5
)


# %%
# The strategy: `train` on an experience, `eval` over a stream.
def arrays(experiences):
    rows = [(row[0].numpy(), int(row[1])) for one in experiences for row in one.dataset]
    features, labels = zip(*rows)
    return np.array(features), np.array(labels)


class HasherStrategy:
    def __init__(self, hasher):
        self.hasher, self.seen = hasher, []

    def train(self, experience):
        self.hasher.partial_fit(*arrays([experience]))
        self.seen.append(experience)

    def eval(self, stream):
        (rows, labels), (queries, asked) = arrays(self.seen), arrays(stream)
        codes, query_codes = self.hasher.transform(rows), self.hasher.transform(queries)
        return mean_average_precision(query_codes, asked, codes, labels)


strategy = HasherStrategy(TaskGeometricHasher(n_bits=32, random_state=0))
for number, experience in enumerate(benchmark.train_stream):
    strategy.train(experience)
    figure = strategy.eval(benchmark.test_stream[: number + 1])
    print("experiences", number + 1, "mAP", round(figure, 3))

# %%
# All classes at once, for comparison.
hasher = TaskGeometricHasher(n_bits=32, random_state=0).fit(X, y)
print("at once", round(mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y), 3))
