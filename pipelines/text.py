"""TF-IDF with over 100,000 terms and a linear model: a huge dict of strings, object-heavy.

Classical text classification. The vocabulary is one Python object per term, and formats
that are made for arrays have to walk them all.
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from persistbench import Case

TERMS = 105_000
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def build() -> Case:
    """Fit on 4,000 documents of 150 words; eight of nine words occur in both classes."""
    rng = np.random.default_rng(0)
    words = np.unique(["".join(word) for word in rng.choice(LETTERS, (TERMS + 5_000, 9))])
    words = rng.permutation(words)[:TERMS]
    truth = np.arange(4_200) % 2
    own = TERMS // 10
    picks = rng.integers(0, 9 * own, (len(truth), 150)) + truth[:, None] * own
    documents = [" ".join(row) for row in words[picks]]
    y = np.where(truth == 1, "sport", "politics")
    # Every term once, so that the vocabulary has its size whatever the draw.
    everything = [" ".join(part) for part in np.array_split(words, 100)]
    estimator = make_pipeline(TfidfVectorizer(), RidgeClassifier(solver="sparse_cg", tol=1e-3))
    estimator.fit(
        [*documents[:4_000], *everything], np.concatenate([y[:4_000], np.tile(y[:2], 50)])
    )
    return Case(estimator, documents[4_000:], y[4_000:])
