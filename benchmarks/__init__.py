"""Side-by-side measurements; ``python -m benchmarks`` runs them all. Nothing here is asserted."""
