"""The journal's records: how the state and what happens to it are written down, and read again. Bytes, no files."""
