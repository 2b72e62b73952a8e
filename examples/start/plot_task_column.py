"""
A DataFrame with a task column, in a pipeline
=============================================

Three shops measure the same flowers, each with its own instruments. The pipeline leaves the
column that names the shop alone, and the hasher learns a modulation for each shop.
"""

# %%
# The table, with a column of strings. Rome measures in inches, and Lima gives every number the
# opposite sign.
import numpy as np
from sklearn.datasets import load_iris

table, species = load_iris(return_X_y=True, as_frame=True)
table["shop"] = np.array(["Oslo", "Rome", "Lima"])[np.arange(150) % 3]
features = table.columns[:4]
table.loc[table["shop"] == "Rome", features] /= 2.54
table.loc[table["shop"] == "Lima", features] *= -1
print(table.groupby("shop").mean().round(1).to_string())

# %%
# ``FeaturesOnly`` lets a transformer see the features, and passes the task on by its name. A third
# of the flowers is held out.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from sktgsh import FeaturesOnly, TaskGeometricHasher

model = make_pipeline(
    FeaturesOnly(QuantileTransformer(n_quantiles=50), "shop"),
    TaskGeometricHasher(n_bits=16, task_column="shop", random_state=0),
)
held_out = np.arange(150) // 3 % 3 == 0
model.fit(table[~held_out], species[~held_out])
codes = model.transform(table)
print(codes.shape, model[-1].tasks_)

# %%
# The codebook is shared: the bits that spell a species are nearly the same in every shop. Three
# species need few bits; the others (0 in the codebook) follow differences between flowers within
# a shop.
import matplotlib.pyplot as plt

from sktgsh.codes import modal_codes

spell = model[-1].codebook_.any(axis=0)
bits = np.argsort(~spell, kind="stable")  # those that spell the species come first
figure, axes = plt.subplots(3, 1, figsize=(6, 4.2), sharex=True, layout="constrained")
for ax, shop in zip(axes, model[-1].tasks_):
    rows = (table["shop"] == shop).to_numpy()
    ax.imshow(modal_codes(codes[rows], species[rows])[1][:, bits], cmap="gray_r", vmin=0, vmax=1)
    ax.axvline(spell.sum() - 0.5, color="tab:red", lw=3)
    ax.set(title=shop, xticks=range(16), yticks=range(3))
    ax.set_xticklabels(bits)
    ax.set_yticklabels(["setosa", "versicolor", "virginica"])
axes[-1].set_xlabel("bits that spell the species, left of the line, and other bits")
figure.suptitle("The most frequent code of each species")

# %%
# A held-out flower of one shop finds its species among the learned flowers of every shop.
import pandas as pd

from sktgsh.metrics import mean_average_precision

shops = list(model[-1].tasks_)
found = pd.DataFrame(index=shops, columns=shops, dtype=float)
for asked in shops:
    for kept in shops:
        queries = held_out & (table["shop"] == asked)
        database = ~held_out & (table["shop"] == kept)
        found.loc[asked, kept] = mean_average_precision(
            codes[queries], species[queries], codes[database], species[database]
        )
print("mean average precision, queries by row, databases by column")
print(found.round(2).to_string())

# %%
# A scaler that also sees the task column raises an error that says what to do.
import textwrap

from sklearn.preprocessing import StandardScaler

table["shop"] = (table["shop"] == "Rome").astype(int)
scaled = make_pipeline(
    StandardScaler().set_output(transform="pandas"),
    TaskGeometricHasher(n_bits=16, task_column="shop", random_state=0),
)
try:
    scaled.fit(table, species)
except ValueError as error:
    print(textwrap.fill(str(error), 80))

# %%
# The bits that spell a species are nearly the same in all shops although no shop measures as
# another does, and flowers find their species in the other shops' rows, too. **Use this when** rows
# of several sources lie in one table and each source measures in its own way.
