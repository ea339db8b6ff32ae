"""Model bundles: what the engine loads. `manifest` reads them, `untrained` makes seeded ones."""
