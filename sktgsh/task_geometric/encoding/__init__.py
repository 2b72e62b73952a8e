"""From samples to bits: the frozen network, and how a task's modulation reads it."""

__all__: list[str] = []
