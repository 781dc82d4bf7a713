"""What the manual is made with: drawings and tables from the real ones, at build time."""
