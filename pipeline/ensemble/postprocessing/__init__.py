"""Post-processing steps, one function a file: (decision bool CHW, probability CHW, value) -> bool.

Each acts on every class plane by itself, leaves its arguments alone, and changes nothing on an
empty plane. `CANDIDATES` are the values worth trying, from the mildest.
"""
