"""The table of ``partial_labels`` without its peers: ours with some and no labels, ITQ, cosine."""

from __future__ import annotations

from .partial_labels import run as run_table


def run(data: str | None) -> None:
    run_table(data, peers=False)
