"""What record.toml changes in a recipe, under [overrides]."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from speedcheck import toml


@dataclass(frozen=True, slots=True)
class RecipeOverrides:
    """Changes of a recipe; None for the recipe's own figure.

    Attributes:
        steps: updates of a run.
        sequences_per_step: sequences whose mean gradient makes one update.
        sequence_length: tokens of a sequence.
    """

    steps: int | None = None
    sequences_per_step: int | None = None
    sequence_length: int | None = None

    def given(self) -> dict[str, int]:
        """Return what is changed, by its key."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def by_option(self) -> dict[str, int]:
        """Return what is changed, by the option of `speedcheck run` and of the trainer."""
        return {"--" + key.replace("_", "-"): value for key, value in self.given().items()}

    def options(self) -> tuple[str, ...]:
        """Return the words of a command line that make these changes."""
        return tuple(word for key, value in self.by_option().items() for word in (key, str(value)))


NO_OVERRIDES = RecipeOverrides()


def read_overrides(table: toml.Table | None) -> RecipeOverrides:
    """Read the table.

    Raises:
        InputError: a key is unknown, or its value is not a whole number.
    """
    if table is None:
        return NO_OVERRIDES
    names = tuple(field.name for field in fields(RecipeOverrides))
    table.refuse_unknown(names)
    return RecipeOverrides(
        **{name: table.get(name, toml.whole, "a whole number") for name in names}
    )
