"""The command line: what is typed after `longlink`, one module a command."""
