"""
Choosing the code length
========================

``GridSearchCV`` finds the code length in a pipeline, with the task routed as metadata or as a
column of X; ``TaskGeometricHasherCV`` needs one fit a fold for all lengths.
"""

# %%
# With metadata routing
# ---------------------
import numpy as np
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sktgsh import TaskGeometricHasher, TaskGeometricHasherCV
from sktgsh.datasets import load_digits_tasks

X, y, task = load_digits_tasks(n_tasks=3)
rows = np.random.RandomState(0).permutation(len(X))[:2000]
X, y, task = X[rows], y[rows], task[rows]
lengths = [4, 8, 16, 32]

with config_context(enable_metadata_routing=True):
    hasher = TaskGeometricHasher(random_state=0)
    hasher.set_fit_request(task=True).set_transform_request(task=True)
    hasher.set_score_request(task=True)
    routed = GridSearchCV(
        make_pipeline(MinMaxScaler(), hasher), {"taskgeometrichasher__n_bits": lengths}, cv=3
    )
    routed.fit(X, y, task=task)
print(routed.best_params_)

# %%
# With the task as a column
# -------------------------
# No routing is needed where the task is in the table.
import pandas as pd

table = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)]).assign(angle=task)
in_column = GridSearchCV(
    TaskGeometricHasher(task_column="angle", random_state=0), {"n_bits": lengths}, cv=3
)
in_column.fit(table, y)
print(in_column.best_params_)

# %%
# By evaluation on unseen classes
# -------------------------------
# ``ClassHoldOut`` scores on classes that were not trained on; the scorer asks how many of the ten
# nearest are of the query's class. Bits that spell classes are then not the best bits.
from sktgsh.evaluation import ClassHoldOut
from sktgsh.metrics import make_retrieval_scorer

for_new_classes = GridSearchCV(
    TaskGeometricHasher(random_state=0),
    {"n_bits": [8, 16, 32], "structure_fraction": [0.0, 0.25, 0.5]},
    cv=ClassHoldOut(n_splits=3, n_held_out=3, random_state=0),
    scoring=make_retrieval_scorer("precision_at_k", k=10),
).fit(X[task == 0], y[task == 0])
table = pd.DataFrame(for_new_classes.cv_results_)
shown = table.pivot(
    index="param_n_bits", columns="param_structure_fraction", values="mean_test_score"
)
print(shown.rename_axis(index="bits", columns="structure").round(2).to_string())

# %%
# All lengths from one fit
# ------------------------
# A short code is the prefix of a long one, so that one fit a fold scores all lengths. `tolerance`
# takes the shortest code that is nearly as good as the best.
search = TaskGeometricHasherCV(lengths, cv=3, tolerance=0.01, random_state=0).fit(X, y, task=task)
print(search.n_bits_, "bits chosen")

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
ax.errorbar(
    search.cv_results_.n_bits,
    search.cv_results_.mean_test_score,
    search.cv_results_.std_test_score,
    marker="o",
)
ax.set_xscale("log", base=2)
ax.set_xticks(lengths, lengths)
ax.set(xlabel="bits", ylabel="mean average precision", title="Each doubling gains less")

# %%
# From 16 bits on, longer codes of the ten digits hardly get better. **Use this when** you pay for
# every byte of a code.
