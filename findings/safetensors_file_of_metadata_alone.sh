#!/usr/bin/env bash
# safetensors 0.4.3: a file that holds metadata and no array is written, and can never be read.
#
# The header begins with an empty entry, `{},"__metadata__":...`, which is no JSON. Saving says nothing;
# safe_open, load and load_file refuse the file. With one array, or with 0.4.4, all is well.
# One would guess that what save takes, load gives back: settings without weights are such a file.
#
# Output seen:
# header {},"__metadata__":{"kind":"settings"}}
# SafetensorError: Error while deserializing: InvalidHeaderDeserialization
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" safetensors==0.4.3 numpy==2.0.2
PYTHONPATH="$folder" python3 - <<'PYTHON'
import json

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

notes = {"kind": "settings"}
written = save({}, metadata=notes)
header = written[8:].decode().strip()
print("header", header)
try:
    load(written)
except SafetensorError as error:
    print(f"SafetensorError: {error}")
else:
    raise AssertionError("the file is read")
whole = save({"a": np.zeros(1, np.float32)}, metadata=notes)
assert load(whole)["a"].tolist() == [0]
assert json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"] == notes
PYTHON
