"""The estimator's public methods by chapter: each validates its input and asks the model."""

__all__: list[str] = []
