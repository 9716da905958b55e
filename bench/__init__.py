"""Benchmarks: what a delivery costs, beside the floor and beside others' servers."""
