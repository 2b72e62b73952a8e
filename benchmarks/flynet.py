"""The published recipe: accuracy by task, and the time of an epoch against plain PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import make_image_tasks

from ._common import Images, load_images, report, seconds

N_TASKS, SEEDS = 5, (0, 1, 2)


class DenseFlyNet(nn.Module):
    """The recipe written plainly: the expansion is a dense matrix, mostly of zeros."""

    def __init__(self, n_features: int, n_hidden: int, n_classes: int):
        super().__init__()
        rng = np.random.RandomState(0)
        weight = np.zeros((n_hidden, n_features), np.float32)
        for row in weight:
            row[rng.choice(n_features, 7, replace=False)] = 1
        bound = 1 / np.sqrt(n_hidden)
        self.register_buffer("weight", torch.from_numpy(weight))
        self.register_buffer("readout", torch.empty(n_classes, n_hidden).uniform_(-bound, bound))
        self.context = nn.Parameter(torch.empty(n_hidden).uniform_(-bound, bound))
        self.strength = nn.Parameter(torch.ones(()))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        hidden = X @ self.weight.T
        hidden = torch.relu(hidden - hidden.mean(dim=1, keepdim=True))
        return (self.strength * self.context * hidden) @ self.readout.T


def dense_epoch(images: Images, n_hidden: int) -> float:
    """Train the plain version for one epoch; return its accuracy on the queries."""
    X, Q = (
        torch.from_numpy((rows.astype(np.float32) / images.X.max() - 0.1307) / 0.3081)
        for rows in (images.X, images.Q)
    )
    y = torch.from_numpy(images.y.astype(np.int64))
    net = DenseFlyNet(X.shape[1], n_hidden, 10)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-2)
    for rows in torch.randperm(len(X)).split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        return float((net(Q).argmax(dim=1).numpy() == images.q).mean())


def run(data: str | None) -> None:
    images = load_images(data)
    n_hidden = 10 * images.X.shape[1]
    plain, plain_accuracy = seconds(lambda: dense_epoch(images, n_hidden), repeat=3)
    ours, hasher = seconds(
        lambda: TaskGeometricHasher.flynet(n_hidden=n_hidden, random_state=0).fit(
            images.X, images.y
        ),
        repeat=3,
    )
    epoch = hasher.history_[0][0]["dur"]
    report(
        f"flynet_epoch_{images.name}",
        [
            dict(recipe="dense, plain PyTorch", seconds=plain, accuracy=plain_accuracy, ratio=1.0),
            dict(recipe="an epoch of sktgsh", seconds=epoch, ratio=plain / epoch),
            dict(
                recipe="fit of sktgsh, task density included",
                seconds=ours,
                accuracy=float((hasher.predict_class(images.Q) == images.q).mean()),
                ratio=plain / ours,
            ),
        ],
    )
    accuracy_by_task(images, n_hidden)


def accuracy_by_task(images: Images, n_hidden: int) -> None:
    """Tasks one after another: accuracy in each, over seeds, and bits of codes that changed.

    The step size is constant, so that the last steps leave a spread.
    """
    rows = []
    X, y, task = make_image_tasks(images.X, images.y, n_tasks=N_TASKS, step=10)
    Q, q, query_task = make_image_tasks(images.Q, images.q, n_tasks=N_TASKS, step=10)
    labels = np.unique(task)
    for epochs in (1, 3):
        accuracy, changed = [], 0
        for seed in SEEDS:
            hasher = TaskGeometricHasher.flynet(n_hidden=n_hidden, random_state=seed).set_params(
                solver__max_epochs=epochs
            )
            first = {}
            for label in labels:
                hasher.partial_fit(X[task == label], y[task == label], task=label)
                first[label] = hasher.transform(Q[query_task == label], task=label)
            for label, codes in first.items():
                again = hasher.transform(Q[query_task == label], task=label)
                changed += int((again != codes).sum())
            right = hasher.predict_class(Q, task=query_task) == q
            accuracy.append([right[query_task == label].mean() for label in labels])
        for name, function in (("median", np.median), ("worst", np.min)):
            values = function(accuracy, axis=0)
            by_task = {f"{label} degrees": float(v) for label, v in zip(labels, values)}
            rows.append(dict(epochs=epochs, of_seeds=name, **by_task, bits_changed=changed))
    report(f"flynet_tasks_{images.name}", rows)
