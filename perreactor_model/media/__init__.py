"""Video files in and out, the demo's speaker, and the drawn face of a reaction."""
