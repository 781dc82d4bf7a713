"""The product: `longlink serve`, one command and one page. Needs the extra longlink[server]."""
