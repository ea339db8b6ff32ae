"""What goes wrong with bags."""


class BagError(ValueError):
    """A bag or message that cannot be read or written: says which, why, and what would be right."""
