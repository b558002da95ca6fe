"""Where models run: warm workers in a sandbox, of this machine or of a cluster."""
