"""HTTP to one server: sending, waiting, trying again, and words for what came back. Knows no resource."""
