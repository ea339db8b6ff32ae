"""What goes wrong with profiles."""


class ProfileError(ValueError):
    """A profile is unknown, broken, another bundle's, or cannot be made: says what would do."""
