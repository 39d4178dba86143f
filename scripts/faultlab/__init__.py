"""Faults on real sockets: regions in which something breaks, and what the router makes of it.

Rule 1: what is judged is seen from outside: answers, what the regions counted, the router's trace.
Rule 2: everything is on loopback addresses, bounded in count and time, and ended by who began it.
Rule 3: figures are counts and ratios within one run; the quick form is for the gate, the full one
        for people.
"""
