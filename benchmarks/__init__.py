"""Benchmarks for residual image restoration: protocols, metrics, runner, leaderboard."""
