"""Text as TF-IDF of 20,000 columns: how many sums of columns the flagship needs."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

from ._common import report, seconds, skip_without

N_ROWS, N_COLUMNS, N_BITS = 8000, 20_000, 64
KINDS = {
    "words": dict(analyzer="word", ngram_range=(1, 2)),
    "characters": dict(analyzer="char_wb", ngram_range=(2, 5)),
}


@skip_without("clinc150.npz")
def run(data: str) -> None:
    with np.load(Path(data) / "clinc150.npz", allow_pickle=True) as file:
        texts, intent, split = file["texts"], file["intent"], file["split"]
    train = np.flatnonzero((split == "train") & (intent >= 0))
    test = np.flatnonzero((split == "test") & (intent >= 0))[::3]
    drawn = np.random.default_rng(0).permutation(train)[:N_ROWS]
    rows = []
    for kind, params in KINDS.items():
        counts = TfidfVectorizer(max_features=N_COLUMNS, dtype=np.float32, **params)
        counts.fit(texts[train])
        X, Q = counts.transform(texts[drawn]), counts.transform(texts[test])
        for n_sums in (4096, 2048, 1024):
            hasher = TaskGeometricHasher(N_BITS, random_state=0)
            with patch("sktgsh.task_geometric.encoding.scaling.MOST_FEATURES", n_sums):
                taken = seconds(lambda h=hasher, X=X: h.fit(X, intent[drawn]))[0]
            codes = hasher.transform(Q), intent[test], hasher.transform(X), intent[drawn]
            rows.append(
                dict(text=kind, sums=n_sums, mAP=mean_average_precision(*codes), seconds=taken)
            )
    report("wide_text", rows)
