#!/usr/bin/env bash
# faiss-cpu 1.15.1: IndexBinaryIVF with use_heap = False finds nothing, not even the query itself.
#
# The attribute chooses between two ways to collect the same neighbours. Without the heap every answer
# is -1, unless max_codes is set; its default of 0 means no limit with the heap, and no code without
# it. 1.13.2 finds all neighbours either way.
# One would guess the same neighbours, perhaps in another order of equal distances.
#
# Output seen:
# heap [0, 1, 2] no heap [-1, -1, -1] no heap, max_codes=1000 [0, 1, 2]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" faiss-cpu==1.15.1 numpy==2.4.6
PYTHONPATH="$folder" python3 - <<'PYTHON'
import faiss
import numpy as np

codes = np.random.default_rng(0).integers(0, 256, (1000, 8), dtype=np.uint8)
quantizer = faiss.IndexBinaryFlat(64)
index = faiss.IndexBinaryIVF(quantizer, 64, 8)
index.train(codes)
index.add(codes)
index.nprobe = 8
heap = index.search(codes[:3], 1)[1].ravel().tolist()
index.use_heap = False
without = index.search(codes[:3], 1)[1].ravel().tolist()
index.max_codes = 1000
limited = index.search(codes[:3], 1)[1].ravel().tolist()
print("heap", heap, "no heap", without, "no heap, max_codes=1000", limited)
assert heap == limited == [0, 1, 2] and without == [-1, -1, -1]
PYTHON
