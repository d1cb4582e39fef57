"""How a call becomes a job, and its result a value again: pickling, the job's folder, its script, getting code there, the cache."""
