"""An agent: each message is the standard input of a run of its own, the output is the reply."""
import sys

print("You said:", sys.stdin.read())
