#!/usr/bin/env bash
# usearch 2.26.6: neighbours that are not there have key 0 in a batch of queries.
#
# An index of three codes with the keys 10, 11 and 12 is asked for five neighbours. For one query,
# three come back. For two queries, rows are filled up with key 0, which is a valid key and was never
# added, and with nan as distance; only `.counts` tells how many are real.
# One would guess the largest key, -1 or a shorter row.
#
# Output seen:
# one query: [10, 12, 11]
# two queries: [[10, 12, 11, 0, 0], [11, 12, 10, 0, 0]] counts [3, 3]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" usearch==2.26.6 numpy==2.4.6
PYTHONPATH="$folder" python3 - <<'PYTHON'
import numpy as np
from usearch.index import Index

codes = np.array([[0] * 8, [255] * 8, [0] * 7 + [1]], np.uint8)
index = Index(ndim=64, metric="hamming", dtype="b1")
index.add(np.array([10, 11, 12], np.uint64), codes)
one, two = index.search(codes[0], 5), index.search(codes[:2], 5)
print("one query:", one.keys.tolist())
print("two queries:", two.keys.tolist(), "counts", two.counts.tolist())
assert one.keys.tolist() == [10, 12, 11]
assert two.keys.tolist() == [[10, 12, 11, 0, 0], [11, 12, 10, 0, 0]]
assert np.isnan(two.distances[:, 3:]).all() and two.counts.tolist() == [3, 3]
PYTHON
