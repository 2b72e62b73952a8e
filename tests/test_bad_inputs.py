"""Every case of the table on every public estimator; see ``bad_inputs``."""

import pytest
from bad_inputs import CASES, EVERYTHING, try_case
from estimators import public_classes


@pytest.mark.parametrize("case", CASES, ids=str)
def test_right_answer_or_an_error_that_names_what_is_wrong(case):
    problems = {
        subject.name: problem
        for subject in EVERYTHING
        if case.where(subject) and (problem := try_case(case, subject))
    }
    assert not problems


def test_no_case_is_tried_on_nothing():
    assert all(any(case.where(subject) for subject in EVERYTHING) for case in CASES)
    assert len({str(case) for case in CASES}) == len(CASES) > 80


@pytest.mark.parametrize("subject", EVERYTHING, ids=lambda subject: subject.name)
def test_every_estimator_has_its_eighty(subject):
    assert sum(case.where(subject) for case in CASES) >= 80


def test_no_public_estimator_is_left_out():
    assert public_classes() == {type(subject.estimator) for subject in EVERYTHING}
