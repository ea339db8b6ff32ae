"""From a camera message's bytes to the pixels which the visual encoder sees.

Flow: `encodings` turns raw or compressed bytes into RGB, `crop` finds the speaker's face and cuts
it out steadily, `preprocess` turns the crop into the network's input.
"""
