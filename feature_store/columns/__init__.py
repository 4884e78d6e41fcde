"""Events as columns, and what kernel and tiles both do with them: one reading, one filter, one sum."""
