"""Timing whole training steps against other frameworks, fairly.

Every contestant trains the same GAN in a process of its own, on the same processors. All must
compute the same losses from the same weights, images and noise before anything is timed; then they
take turns, round after round, and the ratio of each round is what counts.
"""
