"""The speaker's voice: bringing it to the bundle's rate and describing each frame of it."""
