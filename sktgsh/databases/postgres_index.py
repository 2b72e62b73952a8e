"""An index of pgvector over the distinct codes of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

KINDS = ("hnsw", "ivfflat")
# So many codes an index is asked for at first and at most; beyond, reading all rows is as good.
_FEWEST, _MOST = 200, 1000
# Rows of a list, as pgvector advises.
_LIST_ROWS = 1000


class DistinctIndex:
    """A table of distinct codes that a trigger fills, and an index of it.

    pgvector's graphs lose codes among their own copies: a search sees a clump at one distance, and
    ends before it has seen all of it. Of distinct codes there are no clumps at distance 0.
    """

    def __init__(self, run: Callable[..., Any], table: str, kind: str, n_bits: int):
        if kind not in KINDS:
            raise ValueError(f"index={kind!r}; expected None or one of {', '.join(KINDS)}")
        self._run, self._kind, self._n_bits = run, kind, n_bits
        self._table, self._name = table, f"{table}_distinct"

    def make(self) -> None:
        """Make what is not there yet; writers wait meanwhile."""
        self._run(f'lock table "{self._table}" in share row exclusive mode')
        self._run("create extension if not exists vector")
        self._run(
            f'create table if not exists "{self._name}" (code bit({self._n_bits}) primary key)'
        )
        self._run(f'create index if not exists "{self._table}_code" on "{self._table}" (code)')
        insert = (
            f'insert into "{self._name}" select distinct code from {{}} order by code '
            "on conflict do nothing"
        )
        self._run(insert.format(f'"{self._table}"'))
        self._run(
            f'create or replace function "{self._name}_add"() returns trigger language plpgsql as '
            f"$$ begin {insert.format('added')}; return null; end $$"
        )
        self._run(
            f'create or replace trigger "{self._name}" after insert on "{self._table}" referencing '
            f'new table as added for each statement execute function "{self._name}_add"()'
        )
        self._run(
            f'create index if not exists "{self._name}_{self._kind}" on "{self._name}" '
            f"using {self._kind} (code bit_hamming_ops)" + self._options()
        )

    def _options(self) -> str:
        if self._kind == "hnsw":
            return ""
        return f" with (lists = {max(1, self._count() // _LIST_ROWS)})"

    def _count(self) -> int:
        return self._run(f'select count(*) from "{self._name}"').fetchone()[0]

    def nearest(self, code: str, k: int) -> Iterator[tuple[list[str], int]]:
        """Yield more and more of the nearest codes, and how far the farthest of them is.

        Ends where the index gives fewer than it was asked for, or too many would be asked for.
        """
        n_codes = max(k + 1, _FEWEST)
        while n_codes <= _MOST:
            if self._kind == "hnsw":
                self._run(f"set local hnsw.ef_search = {n_codes}")
                self._run("set local hnsw.iterative_scan = strict_order")
            else:
                self._run("set local ivfflat.iterative_scan = relaxed_order")
                self._run(f"set local ivfflat.probes = {n_codes}")
            nearest = (
                f'select code, (code <~> %s::bit({self._n_bits}))::integer from "{self._name}" '
                f"order by code <~> %s::bit({self._n_bits}) limit {n_codes}"
            )
            found = self._run(nearest, [code, code]).fetchall()
            if len(found) < n_codes:
                return
            yield [text for text, _ in found], max(distance for _, distance in found)
            n_codes *= 4
