"""The speed bench: clients in processes of their own against one quick server, in turns.

    rows     who is measured, as data; `cells` says at what
    lab      starts servers, hop and workers, and gives each its turn
    worker   a client's process: it sends, and tells what that took
    figures  medians and ratios; report and chart show them

Rule 1: what is compared takes turns in an order by chance, round after round. Only ratios within a
        round are compared, so that a noisy machine is noisy to all alike.
Rule 2: clients run on one core, servers and hop on another one, where there are two.
"""
