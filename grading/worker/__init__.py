"""The sandboxed side: a process that has the runtimes loaded and forks a child for each job. It sees no label and no salt."""
