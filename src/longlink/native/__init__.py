"""The leaf: system calls and byte loops, compiled (`kernel.pyx`) or portable (`kernel.py`)."""
