"""A transformer that looks rows up in a file which it keeps open."""

from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin

# A table of numbers that comes with scikit-learn: 178 wines, 13 measurements and a class.
TABLE = Path(sklearn.__file__).parent / "datasets" / "data" / "wine_data.csv"
COLUMNS = 13


class OpenLookup(TransformerMixin, BaseEstimator):
    """Appends the record of a table that a row's first column points to.

    It holds an open file handle and a cache of the records read, as an estimator with a
    database connection or an index on disk does, and says nothing about saving them. The
    handle is binary: cloudpickle would save a text handle, with the file's whole content.
    """

    def fit(self, X: Any, y: Any = None) -> "OpenLookup":
        """Open the table and note where its records start."""
        self.open_table()
        self.offsets_ = [self.handle_.tell()]
        while self.handle_.readline():
            self.offsets_.append(self.handle_.tell())
        self.n_features_in_ = X.shape[1]
        return self

    def open_table(self) -> None:
        """Open the file and start with an empty cache."""
        self.handle_ = TABLE.open("rb")
        self.handle_.readline()
        self.cache_: dict[int, Any] = {}

    def transform(self, X: Any) -> Any:
        """Return shape (n_rows, n_features + 13)."""
        rows = (np.abs(X[:, 0]) * 100).astype(int) % (len(self.offsets_) - 1)
        return np.hstack([X, [self._record(row) for row in rows]])

    def _record(self, row: int) -> Any:
        if row not in self.cache_:
            self.handle_.seek(self.offsets_[row])
            numbers = self.handle_.readline().split(b",")[:COLUMNS]
            self.cache_[row] = np.array(numbers, dtype=float)
        return self.cache_[row]
