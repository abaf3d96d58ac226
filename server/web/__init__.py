"""Pages that people print: templates, their style, and the words on them."""
