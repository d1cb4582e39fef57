"""One file a version; what it does must not import the present tables, which go on changing."""
