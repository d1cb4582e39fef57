"""One handler a request, grouped by what it is about; `dispatch` maps message types to them."""
