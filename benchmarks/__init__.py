"""Speed, measured: ratios between contenders that take turns in one run."""
