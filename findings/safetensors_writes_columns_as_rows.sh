#!/usr/bin/env bash
# safetensors 0.8.0: an array in column order comes back with its values in other places.
#
# safetensors.numpy.save writes the memory of an array as it lies there, and notes the shape as if it
# lay in rows. A transposed array, one from Fortran order, or every other column of another one is
# read again without an error, with wrong values. 0.7.0 wrote all three right.
# One would guess a copy in rows, as numpy.save and pickle make, or an error.
#
# Output seen:
# written [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
# read    [[0.0, 3.0, 1.0], [4.0, 2.0, 5.0]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder" safetensors==0.8.0 numpy==2.4.6
PYTHONPATH="$folder" python3 - <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

written = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
read = load(save({"a": written}))["a"]
print("written", written.tolist())
print("read   ", read.tolist())
assert read.shape == written.shape and read.tolist() == [[0, 3, 1], [4, 2, 5]]
strided = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
assert not np.array_equal(load(save({"a": strided}))["a"], strided)
PYTHON
