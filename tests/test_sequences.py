"""A few sequences of calls; ``python -m tests.fuzz`` tries many more. Its finds are tests below."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sequences import Sequences

FEW = settings(
    derandomize=True,
    max_examples=8,
    stateful_step_count=10,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.filterwarnings("ignore")
def test_any_sequence_of_calls():
    run_state_machine_as_test(Sequences, settings=FEW)
