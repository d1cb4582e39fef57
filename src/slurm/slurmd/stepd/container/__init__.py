"""Containers of steps: an image becomes the root of a step's tasks, in namespaces that its owner may make without any privilege."""
