"""The steps from each version of the schema to the next, run by alembic (`upgrade`). A step that was released is never changed."""
