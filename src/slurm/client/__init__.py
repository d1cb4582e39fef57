"""Typed access to a cluster: records in, records out. Commands, the SDK and tests ask here, whatever is behind."""
