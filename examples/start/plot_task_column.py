"""
A DataFrame with a task column, in a pipeline
=============================================

Three shops measure the same flowers, each with its own instruments. The pipeline leaves the
column that names the shop alone, and the hasher learns a modulation for each shop.
"""

# %%
# The table, with a column of strings. Rome measures in inches, Lima upside down.
import numpy as np
from sklearn.datasets import load_iris

table, species = load_iris(return_X_y=True, as_frame=True)
table["shop"] = np.array(["Oslo", "Rome", "Lima"])[np.arange(150) % 3]
features = table.columns[:4]
table.loc[table["shop"] == "Rome", features] /= 2.54
table.loc[table["shop"] == "Lima", features] *= -1
print(table.groupby("shop").mean().round(1).to_string())

# %%
# ``FeaturesOnly`` lets a transformer see the features, and passes the task on by its name.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from sktgsh import FeaturesOnly, TaskGeometricHasher

model = make_pipeline(
    FeaturesOnly(QuantileTransformer(n_quantiles=50), "shop"),
    TaskGeometricHasher(n_bits=16, task_column="shop", random_state=0),
)
codes = model.fit(table, species).transform(table)
print(codes.shape, model[-1].tasks_)

# %%
# The codebook is shared: a species has the same target code in every shop.
import matplotlib.pyplot as plt

from sktgsh.codes import modal_codes

figure, axes = plt.subplots(3, 1, figsize=(6, 4.2), sharex=True, layout="constrained")
for ax, shop in zip(axes, model[-1].tasks_):
    rows = (table["shop"] == shop).to_numpy()
    ax.imshow(modal_codes(codes[rows], species[rows])[1], cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=shop, yticks=range(3))
    ax.set_yticklabels(["setosa", "versicolor", "virginica"])
axes[-1].set_xlabel("bit")
figure.suptitle("The most frequent code of each species")

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
# The three shops' codes of a species are alike although no shop measures as another does. **Use
# this when** rows of several sources lie in one table and each source measures in its own way.
