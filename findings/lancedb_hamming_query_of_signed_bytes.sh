#!/usr/bin/env bash
# lancedb 0.40.0: a Hamming query of int8 is taken, and its negative bytes become 0.
#
# The column holds bytes without a sign. The same eight bytes seen as int8, as other systems give
# binary embeddings, are neither refused nor read as the same bits: the code itself, which is in the
# table, is then not at distance 0, and its neighbours are others.
# One would guess an error about the type, or the same bits.
#
# Output seen:
# uint8 7 0.0
# int8 7 16.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" lancedb==0.40.0 numpy==2.4.6 pyarrow==26.0.1
PYTHONPATH="$folder" python3 - <<'PYTHON'
import tempfile

import lancedb
import numpy as np
import pyarrow as pa

codes = np.random.default_rng(0).integers(0, 256, (1000, 8), dtype=np.uint8)
codes[7] = [200, 200, 200, 200, 192, 192, 1, 2]
column = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), 8)
with tempfile.TemporaryDirectory() as folder:
    table = lancedb.connect(folder).create_table("codes", pa.table({"id": range(1000), "code": column}))
    distance_of = {}
    for query in (codes[7], codes[7].view(np.int8)):
        search = table.search(query, vector_column_name="code").distance_type("hamming")
        rows = search.limit(1000).to_arrow().to_pydict()
        distance_of[str(query.dtype)] = dict(zip(rows["id"], rows["_distance"]))[7]
        print(query.dtype, 7, distance_of[str(query.dtype)])
lost = int(np.bitwise_count(codes[7][codes[7] > 127]).sum())
assert distance_of == {"uint8": 0, "int8": lost} and lost > 0
PYTHON
