"""Number formats: their codes and sizes, and the arithmetic on them."""
