"""What happens to one unit on a worker: its command, its process, its log, its verdict.

The room knows no ledger and no cluster.
"""
