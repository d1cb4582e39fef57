"""Gates: what keeps a waiting job from starting whatever is free on the nodes. One file each; `stack` has them in their order."""
