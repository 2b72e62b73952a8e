#!/usr/bin/env bash
# sqlite-vec 0.1.9: a table of bit[60] can be made, and no vector can be put into it.
#
# Bits come eight in a byte, so a code of 60 bits is 8 bytes. The declaration is taken, and then every
# insert is refused: 8 bytes are 64 bits and not 60, and 7 bytes are 56.
# One would guess that the last byte is padded, or that the declaration is refused.
#
# Output seen:
# 7 bytes: Dimension mismatch for inserted vector for the "code" column. Expected 60 dimensions but received 56.
# 8 bytes: Dimension mismatch for inserted vector for the "code" column. Expected 60 dimensions but received 64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" sqlite-vec==0.1.9 pysqlite3-binary==0.5.4.post2
PYTHONPATH="$folder" python3 - <<'PYTHON'
import pysqlite3 as sqlite3
import sqlite_vec

database = sqlite3.connect(":memory:")
database.enable_load_extension(True)
sqlite_vec.load(database)
database.execute("create virtual table codes using vec0(code bit[60])")
for n_bytes in (7, 8):
    try:
        database.execute("insert into codes(code) values (vec_bit(?))", [b"a" * n_bytes])
    except sqlite3.OperationalError as error:
        print(f"{n_bytes} bytes:", error)
        assert "60" in str(error) and str(8 * n_bytes) in str(error)
    else:
        raise AssertionError(f"{n_bytes} bytes are taken")
PYTHON
