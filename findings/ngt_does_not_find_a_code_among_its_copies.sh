#!/usr/bin/env bash
# NGT 2.8.0: of 100 codes added 100 times each, one after another, most queries find no copy of theirs.
#
# The queries are the stored codes, and ten neighbours are asked for, so that all ten could be at
# distance 0. The graph gives most queries none of their copies; a linear search of the same index
# finds them all.
# One would guess that what is stored most often is found most easily.
#
# Output seen:
# share of neighbours at distance 0: graph 0.10, linear search 1.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" ngt==2.8.0.post1 numpy==2.4.6
PYTHONPATH="$folder" python3 - <<'PYTHON'
import tempfile

import ngtpy
import numpy as np

distinct = np.random.default_rng(0).integers(0, 256, (100, 8), dtype=np.uint8)
codes = np.repeat(distinct, 100, axis=0)
with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/index"
    ngtpy.create(path.encode(), dimension=8, distance_type="Hamming", object_type="Byte")
    index = ngtpy.Index(path.encode())
    index.batch_insert(codes)
    share = [
        np.mean([[distance == 0 for _, distance in search(code, 10)] for code in distinct])
        for search in (index.search, index.linear_search)
    ]
    index.close()
print(f"share of neighbours at distance 0: graph {share[0]:.2f}, linear search {share[1]:.2f}")
assert share[0] < 0.5 and share[1] == 1
PYTHON
