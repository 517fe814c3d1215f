"""Reports: self-contained HTML pages that open offline, and timelines of the engines."""
