"""What the commands beside `longlink serve` do: one module or folder a tool."""
