"""Sequences of calls for as long as it is told: ``python -m tests.fuzz --minutes 20``.

Prints the shortest sequence that fails, and ends with status 1; otherwise the number of sequences.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from sequences import Sequences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--steps", type=int, default=25, help="calls in a sequence")
    parser.add_argument("--database", help="folder that keeps sequences that failed")
    asked = parser.parse_args()
    begun, n_sequences, round_size = time.monotonic(), 0, 20
    while time.monotonic() - begun < 60 * asked.minutes:
        # Rounds differ: without a database and a seed, hypothesis draws anew.
        how = settings(
            max_examples=round_size,
            stateful_step_count=asked.steps,
            deadline=None,
            print_blob=True,
            database=DirectoryBasedExampleDatabase(asked.database) if asked.database else None,
            suppress_health_check=list(HealthCheck),
        )
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            run_state_machine_as_test(Sequences, settings=how)
        n_sequences += round_size
        minutes = (time.monotonic() - begun) / 60
        print(
            f"{n_sequences} sequences of up to {asked.steps} calls, {minutes:.1f} minutes",
            flush=True,
        )


if __name__ == "__main__":
    main()
