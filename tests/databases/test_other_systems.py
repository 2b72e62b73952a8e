"""Systems without a connector, by the forms of :mod:`sktgsh.interchange`: rows of the docs' table.

A system that is not installed is skipped. To run all of them:
``pip install usearch qdrant-client "milvus-lite" pymilvus zvec ngt nmslib sentence-transformers``.
"""

import faiss
import numpy as np
import pytest

from sktgsh.codes import hamming_distances
from sktgsh.interchange import to_bytes, to_floats, to_lowest_first, to_signed, to_uint64

N, K = 400, 10


def faiss_flat(codes, queries, folder):
    index = faiss.IndexBinaryFlat(8 * -(-codes.shape[1] // 8))
    index.add(np.packbits(codes, axis=1))
    return index.search(np.packbits(queries, axis=1), K)[0]


def faiss_lowest_first(codes, queries, folder):
    index = faiss.IndexBinaryFlat(8 * -(-codes.shape[1] // 8))
    index.add(to_lowest_first(codes))
    return index.search(to_lowest_first(queries), K)[0]


def faiss_inverted_lists(codes, queries, folder):
    width = 8 * -(-codes.shape[1] // 8)
    quantizer = faiss.IndexBinaryFlat(width)
    index = faiss.IndexBinaryIVF(quantizer, width, 4)
    index.train(np.packbits(codes, axis=1))
    index.add(np.packbits(codes, axis=1))
    index.nprobe = 4
    return index.search(np.packbits(queries, axis=1), K)[0]


def usearch(codes, queries, folder):
    room = pytest.importorskip("usearch.index")
    rows = [np.packbits(part, axis=1) for part in (codes, queries)]
    found = room.search(*rows, K, room.MetricKind.Hamming, exact=True, threads=1)
    assert (found.counts == K).all()
    return found.distances


def duckdb_of_any_width(codes, queries, folder):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as database:
        database.execute("create table codes (id bigint, code blob)")
        database.executemany("insert into codes values (?, ?)", list(enumerate(to_bytes(codes))))
        select = (
            "select bit_count(xor(code::bit, ?::blob::bit)) d from codes order by d, id limit 10"
        )
        return np.array([database.execute(select, [q]).fetchall() for q in to_bytes(queries)])[
            ..., 0
        ]


def sqlite_virtual_table(codes, queries, folder):
    sqlite_vec = pytest.importorskip("sqlite_vec")
    from sktgsh.databases.sqlite import _driver

    database = _driver().connect(":memory:")
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    n_bits = 8 * -(-codes.shape[1] // 8)  # whole bytes only
    database.execute(f"create virtual table codes using vec0(code bit[{n_bits}])")
    insert = "insert into codes(code) values (vec_bit(?))"
    database.executemany(insert, [[row] for row in to_bytes(codes)])
    select = "select distance from codes where code match vec_bit(?) and k = 10"
    found = [database.execute(select, [row]).fetchall() for row in to_bytes(queries)]
    return np.array(found)[..., 0]


def lancedb(codes, queries, folder):
    room = pytest.importorskip("lancedb")
    pa = pytest.importorskip("pyarrow")
    rows = np.packbits(codes, axis=1)
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    table = room.connect(folder).create_table("codes", pa.table({"code": column}))

    def search(row):
        found = table.search(row, vector_column_name="code").distance_type("hamming").limit(K)
        return found.to_arrow()["_distance"].to_numpy()

    return np.array([search(row) for row in np.packbits(queries, axis=1)])


def qdrant(codes, queries, folder):
    room = pytest.importorskip("qdrant_client")
    client = room.QdrantClient(":memory:")
    params = room.models.VectorParams(size=codes.shape[1], distance=room.models.Distance.MANHATTAN)
    client.create_collection("codes", vectors_config=params)
    vectors = to_floats(codes).tolist()
    points = [room.models.PointStruct(id=i, vector=row) for i, row in enumerate(vectors)]
    client.upsert("codes", points)
    found = [
        client.query_points("codes", query=row, limit=K) for row in to_floats(queries).tolist()
    ]
    return np.array([[point.score for point in answer.points] for answer in found])


def milvus_lite(codes, queries, folder):
    pytest.importorskip("milvus_lite")
    room = pytest.importorskip("pymilvus")
    client = room.MilvusClient(str(folder / "codes.db"))
    client.create_collection("codes", dimension=codes.shape[1], metric_type="L2")
    client.insert(
        "codes", [dict(id=i, vector=row) for i, row in enumerate(to_floats(codes).tolist())]
    )
    found = client.search("codes", data=to_floats(queries).tolist(), limit=K)
    client.close()
    return np.round([[hit["distance"] for hit in hits] for hits in found])


def zvec(codes, queries, folder):
    room = pytest.importorskip("zvec")
    index = room.FlatIndexParam(metric_type=room.MetricType.L2)
    vectors = room.VectorSchema(
        "code", room.DataType.VECTOR_INT8, codes.shape[1], index_param=index
    )
    collection = room.create_and_open(
        str(folder / "zvec"), room.CollectionSchema("codes", vectors=vectors)
    )
    rows = to_floats(codes).astype(np.int8).tolist()
    collection.insert([room.Doc(id=str(i), vectors={"code": row}) for i, row in enumerate(rows)])
    found = [
        collection.query(room.Query("code", vector=row), topk=K)
        for row in to_floats(queries).astype(np.int8).tolist()
    ]
    return np.array([[doc.score for doc in docs] for docs in found])


def ngt(codes, queries, folder):
    room = pytest.importorskip("ngtpy")
    rows, asked = np.packbits(codes, axis=1), np.packbits(queries, axis=1)
    path = str(folder / "ngt").encode()
    room.create(path, dimension=rows.shape[1], distance_type="Hamming", object_type="Byte")
    index = room.Index(path)
    index.batch_insert(rows)
    return np.array([[d for _, d in index.linear_search(row, K)] for row in asked])


def nmslib(codes, queries, folder):
    room = pytest.importorskip("nmslib")
    index = room.init(
        method="brute_force",
        space="bit_hamming",
        data_type=room.DataType.OBJECT_AS_STRING,
        dtype=room.DistType.INT,
    )
    index.addDataPointBatch([" ".join(map(str, row)) for row in codes])
    index.createIndex()
    return np.array([index.knnQuery(" ".join(map(str, row)), k=K)[1] for row in queries])


def numpy_words(codes, queries, folder):
    words, asked = to_uint64(codes), to_uint64(queries)
    distances = np.bitwise_count(words ^ asked[:, None]).sum(axis=2, dtype=int)
    return np.sort(distances, axis=1)[:, :K]


SYSTEMS = [
    *(numpy_words, faiss_flat, faiss_lowest_first, faiss_inverted_lists, usearch),
    *(duckdb_of_any_width, sqlite_virtual_table, lancedb, qdrant, milvus_lite, zvec, ngt, nmslib),
]


@pytest.mark.parametrize("n_bits", [8, 60, 64, 128, 256])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.__name__)
def test_distances_are_those_of_numpy(system, n_bits, tmp_path):
    rng = np.random.default_rng(n_bits)
    codes = rng.integers(0, 2, (N, n_bits), dtype=np.uint8)[rng.integers(N, size=N)]
    queries = codes[:5] ^ (rng.random((5, n_bits)) < 0.05)
    expected = np.sort(hamming_distances(queries, codes), axis=1)[:, :K]
    np.testing.assert_array_equal(system(codes, queries, tmp_path), expected)


@pytest.mark.parametrize("n_bits", [8, 60, 64, 128, 256])
def test_sentence_transformers_makes_the_same_bytes(n_bits):
    room = pytest.importorskip("sentence_transformers.util")
    values = np.random.default_rng(0).normal(size=(30, n_bits)).astype(np.float32)
    codes = values > 0
    packed = room.quantize_embeddings(values, "ubinary")
    np.testing.assert_array_equal(packed, np.packbits(codes, axis=1))
    signed = room.quantize_embeddings(values, "binary")
    np.testing.assert_array_equal(signed, to_signed(codes, convention="offset"))


def test_empty_slots_of_a_graph_of_faiss_sort_first():
    codes = np.array([[0] * 8, [255] * 8], np.uint8)
    index = faiss.IndexBinaryHNSW(64, 16)
    index.add(codes)
    distances, rows = index.search(codes[:1], 4)
    assert (distances[0, rows[0] < 0] < 0).all() and (rows[0] < 0).sum() == 2


def test_inverted_lists_of_faiss_need_their_heap_or_a_limit():
    codes = np.random.default_rng(0).integers(0, 256, (100, 8), dtype=np.uint8)
    quantizer = faiss.IndexBinaryFlat(64)
    index = faiss.IndexBinaryIVF(quantizer, 64, 4)
    index.train(codes)
    index.add(codes)
    index.nprobe = 4
    assert index.use_heap
    index.use_heap, index.max_codes = False, len(codes)
    np.testing.assert_array_equal(index.search(codes, 1)[1].ravel(), np.arange(100))
