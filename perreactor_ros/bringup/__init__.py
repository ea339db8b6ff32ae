"""Which processes run, and how they are started with and without the `launch` package."""
