"""
Features without labels
=======================

A winner-take-all autoencoder learns strokes from unlabelled digits. Its features make a linear
classifier better, and serve as the frozen encoder of a hasher.
"""

# %%
# Each unit keeps only its 5 % largest activations over a mini-batch.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import LinearSVC

from sktgsh import (
    ConvWinnerTakeAllAutoencoder,
    GradientSolver,
    TaskGeometricHasher,
    WinnerTakeAllAutoencoder,
)

X, y = load_digits(return_X_y=True)
X, Q, y, q = train_test_split(X, y, test_size=0.5, random_state=0)
autoencoder = WinnerTakeAllAutoencoder(
    256, solver=GradientSolver(max_epochs=60, lr=3e-3), random_state=0
).fit(X)
print("dead units:", autoencoder.n_dead_units_)

# %%
# Atoms of the decoder.
figure, axes = plt.subplots(4, 12, figsize=(9, 3.2), layout="constrained")
for ax, atom in zip(axes.ravel(), autoencoder.components_):
    ax.imshow(atom.reshape(8, 8), cmap="gray")
    ax.axis("off")
figure.suptitle("48 of 256 atoms")

# %%
# Inputs, and below them what is reconstructed from their codes.
again = autoencoder.inverse_transform(autoencoder.transform(Q[:12]))
figure, axes = plt.subplots(2, 12, figsize=(9, 1.8), layout="constrained")
for column, pair in enumerate(zip(Q, again)):
    for ax, image in zip(axes[:, column], pair):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.axis("off")
figure.suptitle("Inputs above, reconstructions below")

# %%
# The convolutional one places a few atoms, strokes of 7 x 7 pixels: each map of an image holds one
# of them at most.
conv = ConvWinnerTakeAllAutoencoder(
    (8, 8),
    filter_size=5,
    decoder_size=7,
    sparsity=0.2,
    pool=2,
    solver=GradientSolver(max_epochs=60),
    random_state=0,
).fit(X)
figure, axes = plt.subplots(4, 12, figsize=(9, 3.4), layout="constrained")
pictures = [*conv.components_[:24, :, :, 0], *Q[:12], *conv.reconstruct(Q)[:12]]
for ax, picture in zip(axes.ravel(), pictures):
    if picture.ndim == 1:
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
    else:
        ax.imshow(picture, cmap="gray")
    ax.axis("off")
figure.suptitle("24 atoms, 12 inputs, and their reconstructions")

# %%
# A linear classifier on 100 labelled rows, and a hash over the frozen features.
few = slice(0, 100)
for name, rows, queries in (
    ("pixels", X, Q),
    ("dense features", autoencoder.transform(X), autoencoder.transform(Q)),
    ("convolutional features", conv.transform(X), conv.transform(Q)),
):
    model = make_pipeline(MaxAbsScaler(), LinearSVC(random_state=0, max_iter=5000))
    accuracy = model.fit(rows[few], y[few]).score(queries, q)
    print(f"linear SVM on {name}, 100 labels: {accuracy:.3f}")
hasher = TaskGeometricHasher(encoder=autoencoder.as_module(), random_state=0).fit(X, y)
print("mean average precision of 32 bits:", round(hasher.score(Q, q), 3))

# %%
# With 100 labels, a linear classifier on learned features errs less than on pixels, least on the
# convolutional ones. **Use this when** you have many rows, few labels, and inputs such as small
# images.
