"""Notices: jobs' owners get mail, and job completion plug-ins hear of ended jobs (`telling`), as the configuration wants it (`wanted`)."""
