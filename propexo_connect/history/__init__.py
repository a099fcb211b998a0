"""Words about the history of records: keys as people write them, versions as people read them."""
