"""The frozen network, read through a task's modulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import networks
from ...batches import BATCH_ROWS, InputScaling, dense_rows
from ...networks.device import device_or_cpu
from ...networks.fingerprint import fingerprint
from ...networks.readout import class_readout, head_projection
from ...persistence import SteadyPickleMixin, saved
from ...persistence.modules import StoredModule
from ...threads import ThreadTensor, map_batches
from .layout import BitLayout
from .modulation import Modulation
from .short import ShortReader, ShortUnits

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...networks import FrozenEncoder, ModulatedHead

# Number of the convention by which the network's arrays are named in its fingerprint.
LAYOUT = 1
# Number of samples that tasks are compared on.
N_REFERENCES = 1024


@saved("TaskNetwork")
class TaskNetwork(SteadyPickleMixin):
    """The frozen part that all tasks share: it is read through a modulation and never changes.

    A file gives the encoder as arrays and the device by its name. Both are made when they are
    first needed, which imports torch; codes of rows that are certain need neither.

    Parameters
    ----------
    inputs : InputScaling
    encoder : FrozenEncoder
    layout : BitLayout
    head : {"shared", "block", "dense", "readout"}
    seed : int
    device : torch.device

    Attributes
    ----------
    former_fingerprint : str or None
        Fingerprint under which files of format 1 know the network, if it was loaded from one.
    """

    made_later = ("encoder", "device")
    former_fingerprint: str | None = None
    # Weights of the last modulation that rows, and that a few rows, were read through.
    _folded: tuple[Modulation, Tensor, Tensor] | None = None
    _short_reader: ShortReader | None = None
    _fingerprint: str | None = None

    def __init__(
        self,
        inputs: InputScaling,
        encoder: FrozenEncoder,
        layout: BitLayout,
        head: str,
        seed: int,
        device: torch.device,
    ):
        self.inputs = inputs
        vars(self)["encoder"] = encoder.to(device)
        self.layout, self.head, self.seed = layout, head, seed
        vars(self)["device"] = device
        self.projection = None
        if head != "readout":
            self.projection = head_projection(
                head, layout.n_bits, layout.n_blocks, layout.units_per_block, seed=seed
            )

    @property
    def encoder(self) -> FrozenEncoder:
        """The frozen encoder."""
        held = vars(self)["encoder"]
        if isinstance(held, StoredModule):
            held = vars(self)["encoder"] = held.made().to(self.device)
            self._short_reader = None
        return held

    @property
    def device(self) -> torch.device:
        """The device that the encoder is on."""
        held = vars(self)["device"]
        if isinstance(held, str):
            held = vars(self)["device"] = device_or_cpu(held)
        return held

    def to(self, device: torch.device | str) -> TaskNetwork:
        """Move to another device, in place; a name of one that is not here means the CPU."""
        vars(self)["device"] = device
        if not isinstance(vars(self)["encoder"], StoredModule):
            self.encoder.to(self.device)
        self._folded, self._short_reader = None, None
        return self

    def __getstate__(self) -> dict:
        import torch

        # The encoder is pickled on the CPU, so that machines without a GPU can load it.
        encoder = self.encoder
        if self.device.type != "cpu":
            encoder = deepcopy(encoder).cpu()
        state = vars(self) | {"encoder": encoder, "device": torch.device("cpu")}
        made_again = ("_folded", "_short_reader", "_fingerprint")
        return {k: v for k, v in state.items() if k not in made_again}

    def fingerprint(self) -> str:
        """Digest of everything that decides the output of the network, 64 hexadecimal digits."""
        if self._fingerprint is not None:
            return self._fingerprint
        import torch

        layout, inputs = self.layout, self.inputs
        sizes = [layout.n_bits, layout.n_blocks, layout.units_per_block, self.seed]
        arrays: dict[str, Any] = {
            "sizes": np.array(sizes, np.int64),
            "structure": float(layout.structure_share),
            "head": self.head,
            "shift": np.asarray(inputs.shift, np.float64),
            "scale": np.asarray(inputs.scale, np.float64),
            "limit": float(inputs.limit),
            "unit_scale": float(self.encoder.unit_scale),
            "passthrough": self.encoder.passthrough,
            "projection": [] if self.projection is None else self.projection,
        }
        if inputs.sketch is not None:
            sketch = inputs.sketch
            arrays |= {"signs": sketch.data, "columns": sketch.indices, "rows": sketch.indptr}
        # Names in a state_dict are torch's own format for weights; they stay.
        for name, part in self.encoder.state_dict().items():
            wide = part.float() if part.dtype == torch.bfloat16 else part
            arrays[f"encoder.{name}"] = wide.cpu().numpy()
        self._fingerprint = fingerprint(arrays, LAYOUT)
        return self._fingerprint

    def map_features(
        self,
        function: Callable[[np.ndarray, Tensor], Any],
        X: Any,
        positions: np.ndarray | None = None,
        extracted: bool = False,
        progress: str = "",
    ) -> list:
        """Call ``function(rows, features)`` on full batches, as :func:`.map_batches` does."""

        def work(rows: np.ndarray, samples: Tensor) -> Any:
            return function(rows, samples if extracted else self.encoder.features(samples))

        take = dense_rows if extracted else self.inputs
        return map_batches(work, X, positions, self.device, take, progress)

    def map_hidden(
        self,
        function: Callable[[np.ndarray, Tensor, Tensor], Any],
        X: Any,
        positions: np.ndarray | None = None,
        extracted: bool = False,
        progress: str = "",
        n_hidden: int | None = None,
    ) -> list:
        """Call ``function(rows, features, hidden)`` on full batches.

        `hidden` is the activity of the first `n_hidden` units, (n_hidden, batch). The next batch
        overwrites it, so the function must not keep it.
        """
        n_units = self.encoder.n_hidden if n_hidden is None else n_hidden
        hidden = ThreadTensor((n_units, BATCH_ROWS), self.device)

        def work(rows: np.ndarray, features: Tensor) -> Any:
            return function(rows, features, self.encoder.hidden(features, n_units, hidden.values))

        return self.map_features(work, X, positions, extracted, progress)

    def map_scores(
        self,
        function: Callable[[np.ndarray, np.ndarray], Any],
        X: Any,
        positions: np.ndarray | None,
        modulation: Modulation,
        n_bits: int | None = None,
        extracted: bool = False,
        progress: str = "",
    ) -> list:
        """Call ``function(rows, scores of the first n_bits bits)`` batch by batch."""
        weights, bias = self.folded_weights(modulation)
        n_hidden = None
        if self.head == "block" and n_bits is not None:
            # A prefix of the code depends on a prefix of the hidden units only.
            weights, bias = weights[:n_bits], bias[:n_bits]
            n_hidden = n_bits * self.layout.units_per_block

        def read(rows: np.ndarray, _: Tensor, hidden: Tensor) -> Any:
            # Bits that share their units are cut off after the product, because a product of
            # another shape might differ in the last digit.
            return function(rows, self._scores(weights, bias, hidden)[: len(rows), :n_bits])

        return self.map_hidden(read, X, positions, extracted, progress, n_hidden)

    def short_bits(
        self, X: Any, rows: np.ndarray, modulation: Modulation
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Bits of a few rows of X, and which rows are certain to have them in any batch.

        None if the network has no short path; see :class:`.ShortReader`.
        """
        reader = self._short_reader
        if reader is None or reader.modulation is not modulation:
            units = self._short_units()
            if units is None:
                return None
            weights, bias = self._fold(modulation)
            reader = self._short_reader = ShortReader.of(units, weights, bias, modulation)
        return reader.read(self.inputs(X, rows))

    def _short_units(self) -> ShortUnits | None:
        """The units of the short path, which are those of a stored encoder, or on the CPU."""
        encoder = vars(self)["encoder"]
        stored = isinstance(encoder, StoredModule)
        if self.head == "block" or not (stored or self.device.type == "cpu"):
            return None
        return ShortUnits.of(encoder)

    def class_scores(
        self, X: Any, positions: np.ndarray, modulation: Modulation, extracted: bool = False
    ) -> np.ndarray:
        """Score of each class, (n_rows, n_classes)."""
        head = self.modulated_head(modulation)
        scores = np.empty((len(positions), len(modulation.classes)), np.float32)

        def read(rows: np.ndarray, _: Tensor, hidden: Tensor) -> None:
            scores[rows] = head.read(hidden)[1][: len(rows)].cpu().numpy()

        self.map_hidden(read, X, positions, extracted)
        return scores

    def log_densities(
        self,
        X: Any,
        modulations: Sequence[Modulation],
        extracted: bool = False,
        progress: str = "",
    ) -> np.ndarray:
        """Log density of each row under each task, (n_rows, n_tasks).

        The features of a row are computed once for all tasks.
        """
        readers = [modulation.known_density().reader() for modulation in modulations]
        found = np.empty((X.shape[0], len(modulations)))

        def judge(rows: np.ndarray, features: Tensor) -> None:
            probes, axes = self.coordinates(features)
            for task, read in enumerate(readers):
                found[rows, task] = read(probes[: len(rows)], axes[: len(rows)])

        self.map_features(judge, X, None, extracted, progress)
        return found

    def coordinates(self, features: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates for task inference: along the probes (batch, n_probes) and the axes."""
        axes = self.encoder.structure(features)
        return (features @ self.encoder.probes.T).cpu().numpy(), axes.cpu().numpy()

    def hidden_rows(self, X: Any) -> np.ndarray:
        """Hidden activity of all rows, (n_rows, n_hidden), dtype float32."""
        found = np.empty((X.shape[0], self.layout.n_hidden), np.float32)

        def store(rows: np.ndarray, _: Tensor, hidden: Tensor) -> None:
            found[rows] = hidden[:, : len(rows)].T.cpu().numpy()

        self.map_hidden(store, X)
        return found

    def reference_scores(self, modulations: Sequence[Modulation]) -> np.ndarray:
        """Centred scores that tasks give the same samples, (n_tasks, n_samples * n_bits).

        The samples are drawn in equal shares from the densities of all the tasks.
        """
        rng, share = np.random.RandomState(self.seed), -(-N_REFERENCES // len(modulations))
        drawn = np.concatenate(
            [modulation.known_density().sample(share, rng) for modulation in modulations]
        )
        features = self.features_at(drawn)
        found = []
        for modulation in modulations:
            scores = np.concatenate(
                self.map_scores(lambda _, read: read, features, None, modulation, extracted=True)
            )
            found.append((scores - scores.mean(axis=0)).ravel())
        return np.stack(found)

    def features_at(self, coordinates: np.ndarray) -> np.ndarray:
        """Features at given coordinates along the first principal axes, float32."""
        n_axes = coordinates.shape[1]
        # The axes are orthogonal; each is divided by its standard deviation.
        axes = self.encoder.axes[:n_axes].cpu().numpy().astype(np.float64)
        to_features = axes / np.maximum((axes**2).sum(axis=1, keepdims=True), 1e-30)
        means = self.encoder.axes_mean[:n_axes].cpu().numpy()
        return ((coordinates + means) @ to_features).astype(np.float32)

    def folded_weights(self, modulation: Modulation) -> tuple[Tensor, Tensor]:
        """Readout with the modulation folded in, and the bias, as tensors on the device.

        Those of the last modulation are kept.
        """
        import torch

        kept = self._folded
        if kept is None or kept[0] is not modulation:
            weights, bias = (torch.from_numpy(part) for part in self._fold(modulation))
            kept = self._folded = (modulation, weights.to(self.device), bias.to(self.device))
        return kept[1:]

    def _fold(self, modulation: Modulation) -> tuple[np.ndarray, np.ndarray]:
        """New weights of the bits by hidden units, and the bias."""
        projection, mixing = self._readout(modulation.classes, modulation.codewords)
        weights = projection * modulation.vector.reshape(-1, projection.shape[1])
        if mixing is not None:
            weights = mixing @ weights
        return weights, modulation.bias

    @staticmethod
    def _scores(weights: Tensor, bias: Tensor, hidden: Tensor) -> np.ndarray:
        """Scores of the bits, (batch, n_bits)."""
        return (networks.apply_weights(weights, hidden) + bias[:, None]).T.cpu().numpy()

    def _readout(
        self, classes: Sequence, codewords: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Frozen projection of a task, and the mixing of its outputs into bits."""
        if self.projection is not None:
            return self.projection, None
        layout, n_classes = self.layout, len(classes)
        structure = layout.structure_bits
        rows = class_readout(classes, layout.n_hidden, seed=self.seed)
        mixing = np.zeros((layout.n_bits, n_classes + len(structure)), np.float32)
        mixing[layout.codebook_bits, :n_classes] = codewords.T
        if len(structure):
            drawn = head_projection(
                "dense", layout.n_bits, layout.n_blocks, layout.units_per_block, seed=self.seed
            )
            rows = np.concatenate([rows, drawn[structure]])
            mixing[structure, n_classes + np.arange(len(structure))] = 1
        return rows, mixing

    def modulated_head(self, modulation: Modulation) -> ModulatedHead:
        """The torch module that reads a task, with a trainable context and strength."""
        import torch

        projection, mixing = self._readout(modulation.classes, modulation.codewords)
        head = networks.ModulatedHead(
            torch.from_numpy(projection),
            torch.from_numpy(modulation.context),
            modulation.strength,
            torch.from_numpy(modulation.bias),
            torch.from_numpy(modulation.codewords.astype(np.float32)),
            torch.from_numpy(self.layout.codebook_bits),
            mixing=None if mixing is None else torch.from_numpy(mixing),
        )
        return head.to(self.device)
