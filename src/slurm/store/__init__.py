"""Durable state: the journal and its snapshots. The interface comes first, then the backends."""
