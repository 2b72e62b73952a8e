"""Codes of classes as a table, and codes of samples as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.manifold import TSNE
from sklearn.utils import check_random_state

from ..base import codes_of
from ..codes import check_codes, codes_to_hex, hamming_distances, modal_codes
from ..targets import check_targets
from ._axes import new_axes


class CodeTableDisplay:
    """The most frequent code of each class, its hexadecimal form, and distances between classes.

    Parameters
    ----------
    classes : sequence
        Class labels.
    codes : ndarray of shape (n_classes, n_bits)
        The modal code of each class.

    Attributes
    ----------
    hex : ndarray of shape (n_classes,)
        Codes in hexadecimal.
    distances : ndarray of shape (n_classes, n_classes)
        Hamming distances between modal codes.

    See Also
    --------
    sktgsh.inspection.CodeMapDisplay : Samples in the plane.

    Examples
    --------
    >>> from sktgsh.inspection import CodeTableDisplay
    >>> display = CodeTableDisplay.from_predictions([[0, 1], [0, 1], [1, 1]], ["a", "a", "b"])
    >>> print(display.to_text())
    class  code  hex
    a      01    40
    b      11    c0
    """

    def __init__(self, classes: Sequence, codes: np.ndarray):
        self.classes, self.codes = classes, codes
        self.hex = codes_to_hex(codes)
        self.distances = hamming_distances(codes)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike, *, task: Any = None, ax: Any = None
    ) -> CodeTableDisplay:
        """Draw for the codes that a fitted hasher gives to X.

        Parameters
        ----------
        estimator : estimator
            A fitted hasher.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,), optional
            Passed on to `transform`.
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : CodeTableDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        return cls.from_predictions(codes_of(estimator, X, task), y, ax=ax)

    @classmethod
    def from_predictions(
        cls, codes: ArrayLike, y: ArrayLike, *, ax: Any = None
    ) -> CodeTableDisplay:
        """Draw for codes and labels.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_bits)
            Unpacked codes.
        y : array-like of shape (n_samples,)
            Class labels.
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : CodeTableDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        classes, modal = modal_codes(codes, y)
        return cls(classes.tolist(), modal).plot(ax=ax)

    def to_text(self) -> str:
        """The table as text.

        Returns
        -------
        table : str
            One line a class, below a line of headings.
        """
        rows = [("class", "code", "hex")]
        rows += [
            (str(label), "".join(map(str, code)), text)
            for label, code, text in zip(self.classes, self.codes.tolist(), self.hex)
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows
        )

    def plot(self, *, ax: Any = None) -> CodeTableDisplay:
        """Draw codes and distances side by side.

        Parameters
        ----------
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : CodeTableDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        self.figure_, self.axes_ = new_axes(ax, 2)
        table, distances = self.axes_
        n_classes = len(self.classes)
        names = [f"{label}  {text}" for label, text in zip(self.classes, self.hex)]
        table.imshow(self.codes, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        table.set_yticks(range(n_classes), names)
        table.set(xlabel="bit", title="Modal code of each class")
        distances.imshow(self.distances, cmap="viridis")
        if n_classes <= 16:
            for row in range(n_classes):
                for column in range(n_classes):
                    value = int(self.distances[row, column])
                    # Large distances are yellow.
                    color = "k" if value > 0.6 * self.distances.max() else "w"
                    distances.text(column, row, value, ha="center", va="center", color=color)
        distances.set_xticks(range(n_classes), self.classes)
        distances.set_yticks(range(n_classes), self.classes)
        distances.set(title="Hamming distance")
        return self


class CodeMapDisplay:
    """Samples in the plane, near each other where their codes are.

    Parameters
    ----------
    positions : ndarray of shape (n_samples, 2)
        Positions in the plane.
    y : ndarray of shape (n_samples,)
        Labels, by which points are coloured.
    method : str
        How positions were found.

    See Also
    --------
    sktgsh.inspection.CodeTableDisplay : Codes of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh.inspection import CodeMapDisplay
    >>> codes = np.random.default_rng(0).integers(0, 2, size=(20, 8))
    >>> display = CodeMapDisplay.from_predictions(codes, np.arange(20) % 2)
    >>> display.positions.shape
    (20, 2)
    """

    def __init__(self, positions: np.ndarray, y: np.ndarray, method: str = ""):
        self.positions, self.y, self.method = positions, y, method

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        method: str = "tsne",
        max_rows: int = 1000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
    ) -> CodeMapDisplay:
        """Draw for the codes that a fitted hasher gives to X.

        Parameters
        ----------
        estimator : estimator
            A fitted hasher.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,), optional
            Passed on to `transform`.
        method : {"tsne", "umap"}, default="tsne"
            ``"umap"`` needs the package umap-learn.
        max_rows : int, default=1000
            Draw at most so many rows, chosen at random.
        random_state : int, RandomState instance or None, default=0
            Of the choice and of the map.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : CodeMapDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        return cls.from_predictions(
            codes_of(estimator, X, task),
            y,
            method=method,
            max_rows=max_rows,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        codes: ArrayLike,
        y: ArrayLike,
        *,
        method: str = "tsne",
        max_rows: int = 1000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
    ) -> CodeMapDisplay:
        """Draw for unpacked codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_bits)
        y : array-like of shape (n_samples,)
        method : {"tsne", "umap"}, default="tsne"
            ``"umap"`` needs the package umap-learn.
        max_rows : int, default=1000
            Draw at most so many rows, chosen at random.
        random_state : int, RandomState instance or None, default=0
            Of the choice and of the map.
        ax : matplotlib axes, optional

        Returns
        -------
        display : CodeMapDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        codes = check_codes(codes)
        y = check_targets(y, len(codes), multilabel=False)
        rng = check_random_state(random_state)
        rows = rng.permutation(len(codes))[:max_rows]
        distances = hamming_distances(codes[rows]).astype(np.float32)
        seed = rng.randint(2**31 - 1)
        if method == "tsne":
            perplexity = min(30, max(1, (len(rows) - 1) // 3))
            mapper = TSNE(
                metric="precomputed", init="random", perplexity=perplexity, random_state=seed
            )
        elif method == "umap":
            try:
                from umap import UMAP
            except ImportError as error:
                raise ImportError("method='umap' needs umap-learn; install it or use 'tsne'") from (
                    error
                )
            mapper = UMAP(metric="precomputed", random_state=seed)
        else:
            raise ValueError(f"method={method!r}; expected 'tsne' or 'umap'")
        return cls(mapper.fit_transform(distances), y[rows], method).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> CodeMapDisplay:
        """Draw the samples as points.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : CodeMapDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        self.figure_, (self.ax_,) = new_axes(ax)
        for label in np.unique(self.y):
            points = self.positions[self.y == label]
            self.ax_.scatter(*points.T, s=8, label=str(label))
        self.ax_.set(xticks=[], yticks=[], title=f"Codes by Hamming distance ({self.method})")
        self.ax_.legend(markerscale=2, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        return self
