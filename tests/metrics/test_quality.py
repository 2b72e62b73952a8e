"""Quality of codes without queries."""

import numpy as np
import pytest

from sktgsh.metrics import code_report


def test_a_report_by_brute_force():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=(60, 5)).astype(np.uint8)
    codes = np.column_stack([codes, codes[:, 0], 1 - codes[:, 1], np.ones(60, int)])
    y = rng.integers(3, size=60)
    report = code_report(codes, y)
    assert report.n_distinct_codes == len({row.tobytes() for row in codes})
    assert report.n_distinct_columns == 6 and report.dead_bits.tolist() == [7]
    assert report.correlated_bits.tolist() == [[0, 5], [1, 6]]
    np.testing.assert_allclose(report.balance, codes.mean(axis=0))
    equal = [y[i] != y[j] for i in range(60) for j in range(i) if (codes[i] == codes[j]).all()]
    assert report.collisions == pytest.approx(np.mean(equal))
    for label, share in report.class_collisions.items():
        shared = [
            any((codes[i] == codes[j]).all() and y[j] != label for j in range(60))
            for i in np.flatnonzero(y == label)
        ]
        assert share == pytest.approx(np.mean(shared))
    assert "distinct columns    6" in str(report) and "of its rows" in str(report)


def test_without_labels_and_without_equal_codes():
    report = code_report(np.eye(4, dtype=int))
    assert np.isnan(report.collisions) and report.class_collisions == {}
    assert np.isnan(code_report(np.eye(4, dtype=int), list("abcd")).collisions)
    with pytest.raises(ValueError, match="label indicators"):
        code_report(np.eye(4, dtype=int), np.eye(4, dtype=int))
    with pytest.raises(ValueError, match="codes"):
        code_report([[0.5, 1.0]])
