"""Records for the accounting database: how they are put out with their events (`parcels`), sent to slurmdbd (`sender`), and where that is
(`site`)."""
