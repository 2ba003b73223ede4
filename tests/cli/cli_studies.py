"""The study file that tests of the command line begin with."""

from __future__ import annotations

SMALL = """
name = "{name}"
seed = 7
cohort = 3
[data]
source = "digits"
train = 300
validation = 100
test = 200
[network]
hidden = 8
[training]
batch_size = 20
step_size = 15
cycles = 2
[coarse]
trials = 5
log10_lambda = [-5.0, -1.0]
cycles = 1
[fine]
trials = 4
keep = 2
cycles = 1
[finalists]
keep = 2
replicates = 2
[final]
train = 350
validation = 50
replicates = 2
"""
