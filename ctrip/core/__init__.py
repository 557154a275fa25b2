"""Pure rules of payment: no I/O, no clock, no logging. Facts in, decisions out.

ids       identifiers and addresses            payment    the nouns: Payment, Transfer, Status, Flag
money     amounts as people write them         changes    what can happen to a payment
chains    a network and its tokens             machine    advance(payment, change)
blocks    what a chain says happened           events     what the outside world is told
scan      which blocks to read next; the fork  view       a payment as the API and webhooks show it
matching  whose money a block carries          signature  how a webhook is signed
errors    the four families of failure         retry      when a failed delivery is tried again
"""
