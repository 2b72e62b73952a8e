#!/usr/bin/env bash
# DuckDB 2.0.0: of the 128-bit codes, the one that differs in all bits is nearest.
#
# bit_count gives a TINYINT for every width of integer. 128 ones of a HUGEINT do not fit and come out
# as -128, without an error or a warning.
# One would guess a type that holds the count, or an error; adding two counts of 64 does raise one.
#
# Output seen:
# [('all bits differ', -128), ('no bit differs', 0), ('one bit differs', 1)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" duckdb==2.0.0
PYTHONPATH="$folder" python3 - <<'PYTHON'
import duckdb

rows = duckdb.sql("""
    select name, bit_count(xor(code, 0::hugeint)) as distance
    from (values ('no bit differs', 0::hugeint), ('one bit differs', 1), ('all bits differ', -1))
        as codes(name, code)
    order by distance
""").fetchall()
print(rows)
assert rows == [("all bits differ", -128), ("no bit differs", 0), ("one bit differs", 1)]
PYTHON
