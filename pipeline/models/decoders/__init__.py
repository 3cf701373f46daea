"""The decoders, by name: each turns five features into a map that a head turns into logits."""
