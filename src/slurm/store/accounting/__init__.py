"""The accounting database: what clusters did, in SQLite, PostgreSQL or MariaDB by one schema. Asked and filled by slurmdbd only.

`database` is the front; below it `schema` and `schema_policy` (tables), `upgrade` and `migrations` (versions of them), `engine`
(connections and their errors), `taking` (records in), `finding` (jobs out), `rollup` and `usage` (sums), `purging` and `archive`,
`entities`. It blocks: call it on threads. Not here: who may see what (slurmdbd), the controller's journal (`store`).
"""
