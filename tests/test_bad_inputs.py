"""Every case of the table on every public estimator; see ``bad_inputs``."""

import pytest
from bad_inputs import CASES, SUBJECTS, try_case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_right_answer_or_an_error_that_names_what_is_wrong(case):
    problems = {
        subject.name: problem
        for subject in SUBJECTS
        if case.where(subject) and (problem := try_case(case, subject))
    }
    assert not problems


def test_no_case_is_tried_on_nothing():
    assert all(any(case.where(subject) for subject in SUBJECTS) for case in CASES)
    assert len({str(case) for case in CASES}) == len(CASES) > 80
