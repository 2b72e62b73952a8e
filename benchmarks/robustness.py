"""Bad and odd input on every public estimator: how many cases are tried, and how many go wrong."""

from __future__ import annotations

from tests.bad_inputs import CASES, EVERYTHING, try_case

from ._common import report


def run(data: str | None = None) -> None:
    rows: dict[str, dict] = {}
    for case in CASES:
        row = rows.setdefault(
            case.group, {"group": case.group, "cases": 0, "tried": 0, "errors": 0, "failed": 0}
        )
        row["cases"] += 1
        for subject in EVERYTHING:
            if case.where(subject):
                row["tried"] += 1
                row["errors"] += case.error is not None
                if problem := try_case(case, subject):
                    row["failed"] += 1
                    print(f"{subject.name}, {case}: {problem}")
    total = {"group": "all"}
    for column in ("cases", "tried", "errors", "failed"):
        total[column] = sum(row[column] for row in rows.values())
    report("robustness", [*rows.values(), total])
