"""The web page: what a person sees of the cluster and does with it in a browser, as the user who logged in.

It asks through the same connections as the API, so that slurmctld alone says who may what. Nothing is loaded from another host.
"""
