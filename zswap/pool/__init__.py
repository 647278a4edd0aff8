"""Where compressed pages lie, and what compresses them: pools, their contexts per cpu, and zsmalloc's arithmetic."""
