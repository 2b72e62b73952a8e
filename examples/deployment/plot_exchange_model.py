"""
Change the model, keep the codes
================================

A database holds codes that an old model gave. A new model sees other features. It learns to give
the old codes (backward-compatible codes), and no row of the database is encoded again.
"""

# %%
# The old model sees the left five columns of each digit, the new one the right five.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
left, right = images[:, :, :5].reshape(len(y), -1), images[:, :, 3:].reshape(len(y), -1)
database, queries = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0)

old = TaskGeometricHasher(n_bits=32, random_state=0).fit(left[database], y[database])
stored = old.transform(left[database])

# %%
# The new model learns from some rows whose old codes are known. Labels are not needed.
numbers, found = (30, 100, 300, len(database)), []
for number in numbers:
    new = TaskGeometricHasher(n_bits=32, random_state=1)
    new.fit_codes(right[database[:number]], stored[:number])
    codes = new.transform(right[queries])
    found.append(mean_average_precision(codes, y[queries], stored, y[database]))

before = mean_average_precision(old.transform(left[queries]), y[queries], stored, y[database])
# Codes that the new model would give by itself.
stranger = TaskGeometricHasher(n_bits=32, random_state=1).fit(right[database], y[database])
own = mean_average_precision(stranger.transform(right[queries]), y[queries], stored, y[database])

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
ax.plot(numbers, found, marker="o", label="new model, old codes learned")
ax.axhline(before, color="gray", label="old model")
ax.axhline(own, color="gray", linestyle=":", label="new model, codes of its own")
ax.set_xscale("log")
ax.set(xlabel="rows with old codes", ylabel="mean average precision", ylim=(0, 1.02))
ax.set_title("New queries on the old database")
ax.legend()

# %%
# A few hundred rows with old codes were enough for the new model to serve the old database nearly
# as well as the old model. **Use this when** you change your embedding model and cannot encode the
# database again.
