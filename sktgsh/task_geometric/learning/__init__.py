"""From rows to a modulation: sufficient statistics, the closed form, codewords, gradient steps."""

__all__: list[str] = []
