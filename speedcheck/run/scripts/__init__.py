"""Records of foreign trainers: `speedcheck run --script` and `speedcheck challenge`."""
