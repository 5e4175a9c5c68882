"""The durable record: SQLite journal, the feed that follows it, the image archive and its disk-pressure ladder."""
