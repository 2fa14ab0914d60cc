"""A cache on another machine: messages over SSH, in which nothing is sent that is run."""
