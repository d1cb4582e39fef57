"""The GPUs that a machine has (AutoDetect of gres.conf): one module for each way of looking, and how what was found goes together with what
is written."""
