"""What steps that were written for flowServ import of it: names and behaviour are flowServ's, the code is not.

There are `service.postproc.client` and `util`. They need nothing but the standard library of Python 3.7 or newer,
because they are also put into containers with Pythons of their own.
"""
