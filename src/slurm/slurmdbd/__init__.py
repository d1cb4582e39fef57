"""The accounting daemon: records come in from controllers, questions are answered from the database, usage is rolled up, what is old is
purged.

`service` its life; `controllers` what controllers say, `questions` and `administration` what commands ask, `rights` who may see what;
`maintenance` what happens by itself; `work` the threads on which the database is used, so that the loop never waits for it; `secured` who
is at the other end.
"""
