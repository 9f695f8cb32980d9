"""Results as Markdown that code hosts show as it is meant: a module for each kind of result."""
