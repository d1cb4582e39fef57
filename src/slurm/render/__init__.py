"""The table of reportable fields, and the one place where records become text or JSON."""
