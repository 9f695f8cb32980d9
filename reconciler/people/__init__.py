"""Who people are, by the directory and on the provider, who comes and goes, and what becomes of them."""
