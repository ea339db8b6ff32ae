"""The streaming engine: from stamped camera frames and sound to reactions at 25 frames a second.

Flow: `clock` puts inputs on the frame grid, `perceiver` encodes each frame once into a token,
`engine` decodes every robot's reaction from the tokens, `reactor` is both in one public object.
Everything here is synchronous and deterministic; threads belong to the nodes.
"""
