"""flowserverless: flowServ's run service as serverless functions on AWS. This is the map of the package.

An operation `verb_noun` (functions/verb_noun, events/verb_noun.json, VerbNounFunction in template.yaml) happens in
`operations/verb.py`, in the function `noun`: cancel_run is `cancel.run(...)`. What only reads (get_*, list_*) is in
`api/`, because a read is presentation. tests/contract/test_house.py holds this law, its exceptions and the table below.

    package       what is in it                                                        imports, beside itself
    api/          HTTP: statuses, JSON, validation of requests, reads                  operations auth store domain
    events.py     the way in for Step Functions, events and schedules; no HTTP         logs
    auth/         who is calling, and what they may see and do                         store aws domain
    operations/   one file per verb: what happens                                      store aws packages domain
    packages/     reading the zip file of a workflow                                   domain
    store/        one table, one bucket, every key                                     aws domain
    aws/          clients, Step Functions, Cognito                                     domain
    domain/       the rules, pure: standard library only, no clock, no randomness      nothing

Everything may import clock.py (the present moment), logs.py and settings.py (limits and switches of an installation),
but domain/, which gets them as arguments. cold_start.py begins here, before everything else is imported, and ends where
a handler is made.
"""

from flowserverless import cold_start

cold_start.begin()
