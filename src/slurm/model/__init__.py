"""The nouns: records, enums, ids, error codes. Imports nothing of ours."""
